"""Who can reach an address of this machine."""

from __future__ import annotations

import ipaddress
from typing import Final

_TAILNETS: Final = (ipaddress.ip_network("100.64.0.0/10"), ipaddress.ip_network("fd7a:115c:a1e0::/48"))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_tailnet(host: str) -> bool:
    """Whether `host` is an address of a tailnet: reached by its own devices, encrypted."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in _TAILNETS)


def find_tailscale() -> str | None:
    """The address, or else the name, of the Tailscale interface of this machine."""
    import psutil

    try:
        interfaces = psutil.net_if_addrs()
    except (psutil.Error, OSError):
        return None
    for addresses in interfaces.values():
        for address in addresses:
            if is_tailnet(address.address):
                return str(address.address)
    return next((name for name in interfaces if name.startswith("tailscale")), None)


def exposure(host: str, *, allow_public: bool) -> str | None:
    """A warning, if `host` can be reached from other machines and no Tailscale is there."""
    if allow_public or is_loopback(host) or is_tailnet(host) or find_tailscale() is not None:
        return None
    return (
        f"other machines reach this gateway ({host}), and no Tailscale is found here. For this machine alone: --host 127.0.0.1. "
        "If it is meant: `sygen config set api.allow_public true`"
    )

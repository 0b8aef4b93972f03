"""Who can reach an address of this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from sygen_bot.cli.terminal import command_line

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Interfaces: TypeAlias = Mapping[str, Sequence[str]]

_TAILNET: Final = ipaddress.ip_network("fd7a:115c:a1e0::/48")
_SHARED: Final = ipaddress.ip_network("100.64.0.0/10")
"""Where tailnets have their IPv4 addresses, and carriers those that many of their customers share."""

_WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104 - what people choose
_VIRTUAL: Final = ("docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "lxc", "cni", "podman")
"""How the interfaces are called that lead to nothing but programs on this machine."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_tailnet(host: str, interfaces: Interfaces | None = None) -> bool:
    """Whether `host` is an address of a tailnet that this machine is in: reached by its own devices, encrypted."""
    address = _address(host)
    return _is_in(address, _TAILNET) or (_is_in(address, _SHARED) and find_tailscale(interfaces) is not None)


def find_tailscale(interfaces: Interfaces | None = None) -> str | None:
    """The address, or else the name, of the Tailscale interface. `interfaces`: addresses by name, by default this machine's.

    The interface is known by its name or by its IPv6 address: its IPv4 address alone could be one of a carrier.
    """
    for name, texts in (_interfaces() if interfaces is None else interfaces).items():
        addresses = [_address(text) for text in texts]
        if name.startswith("tailscale") or any(_is_in(address, _TAILNET) for address in addresses):
            own = (address for address in addresses if _is_in(address, _SHARED) or _is_in(address, _TAILNET))
            return str(next(own, name))
    return None


def address_for_others(host: str, interfaces: Interfaces | None = None) -> str | None:
    """Where other machines reach what listens on `host`: None if they do not, or if no address of this machine is known.

    For all addresses at once: the one in a tailnet, or else in the local network, or else any.
    """
    if host not in _WILDCARDS:
        return None if is_loopback(host) else host
    known = _interfaces() if interfaces is None else interfaces
    if _address(tailnet := find_tailscale(known) or "") is not None:
        return tailnet
    texts = [text for name, texts in known.items() if not name.startswith(_VIRTUAL) for text in texts]
    others = [
        address
        for address in map(_address, texts)
        if isinstance(address, ipaddress.IPv4Address) and not address.is_loopback and not address.is_link_local
    ]
    return next(map(str, sorted(others, key=lambda address: not address.is_private)), None)


def _interfaces() -> Interfaces:
    import psutil

    try:
        found = psutil.net_if_addrs()
    except (psutil.Error, OSError):
        return {}
    return {name: [address.address for address in addresses] for name, addresses in found.items()}


def _address(text: str) -> Address | None:
    """None for what is no IP address: a name, or that of a network card."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _is_in(address: Address | None, network: Network) -> bool:
    return address is not None and address in network


def exposure(host: str, *, allow_public: bool) -> str | None:
    """A warning, if `host` can be reached from other machines and no Tailscale is there."""
    if allow_public or is_loopback(host) or is_tailnet(host) or find_tailscale() is not None:
        return None
    return (
        f"other machines reach this gateway ({host}), and no Tailscale is found here. For this machine alone: --host 127.0.0.1. "
        f"If it is meant: `{command_line('config', 'set', 'api.allow_public', 'true')}`"
    )

"""Who reaches an address: tailnets are told from what carriers share among their customers."""

from __future__ import annotations

import pytest

from sygen_bot.cli.network import address_for_others, find_tailscale, is_tailnet

HOME = {"lo": ["127.0.0.1", "::1"], "eth0": ["192.168.1.5", "fe80::1%eth0", "aa:bb:cc:dd:ee:ff"]}
CARRIER = {**HOME, "wwan0": ["100.72.3.4"]}
LINUX = {**HOME, "tailscale0": ["100.101.1.2", "fd7a:115c:a1e0::7"]}
MAC = {**HOME, "utun4": ["100.101.1.2", "fd7a:115c:a1e0::7"]}
UP_WITHOUT_ADDRESS = {**HOME, "tailscale0": []}


@pytest.mark.parametrize(
    ("interfaces", "found"),
    [
        (HOME, None),
        (CARRIER, None),
        (LINUX, "100.101.1.2"),
        (MAC, "100.101.1.2"),
        ({**CARRIER, **LINUX}, "100.101.1.2"),
        (UP_WITHOUT_ADDRESS, "tailscale0"),
    ],
)
def test_tailscale_is_known_by_its_interface_and_not_by_its_addresses_alone(
    interfaces: dict[str, list[str]], found: str | None
) -> None:
    assert find_tailscale(interfaces) == found


def test_a_shared_address_is_in_a_tailnet_only_if_this_machine_is_in_one() -> None:
    assert is_tailnet("100.101.1.9", LINUX)
    assert is_tailnet("100.101.1.9", MAC)
    assert not is_tailnet("100.101.1.9", CARRIER)
    assert is_tailnet("fd7a:115c:a1e0::9", HOME)
    assert not any(is_tailnet(host, LINUX) for host in ("192.168.1.9", "fd00::1", "tailscale.example", ""))


DOCKER = {"lo": ["127.0.0.1"], "docker0": ["172.17.0.1"], "br-1a2b": ["172.18.0.1"], "wlan0": ["10.0.0.8"]}
RENTED = {"lo": ["127.0.0.1"], "eth0": ["198.51.100.7", "2001:db8::7"]}
BOTH = {"eth0": ["8.8.4.4"], "eth1": ["169.254.3.4", "192.168.1.5"]}


@pytest.mark.parametrize(
    ("host", "interfaces", "found"),
    [
        ("127.0.0.1", LINUX, None),
        ("localhost", HOME, None),
        ("::1", HOME, None),
        ("192.168.1.5", LINUX, "192.168.1.5"),
        ("0.0.0.0", HOME, "192.168.1.5"),
        ("::", HOME, "192.168.1.5"),
        ("0.0.0.0", LINUX, "100.101.1.2"),
        ("0.0.0.0", MAC, "100.101.1.2"),
        ("0.0.0.0", UP_WITHOUT_ADDRESS, "192.168.1.5"),
        ("0.0.0.0", DOCKER, "10.0.0.8"),
        ("0.0.0.0", RENTED, "198.51.100.7"),
        ("0.0.0.0", BOTH, "192.168.1.5"),
        ("0.0.0.0", {"lo": ["127.0.0.1"]}, None),
        ("0.0.0.0", {}, None),
    ],
)
def test_others_are_told_the_address_in_the_tailnet_or_else_in_the_local_network(
    host: str, interfaces: dict[str, list[str]], found: str | None
) -> None:
    assert address_for_others(host, interfaces) == found

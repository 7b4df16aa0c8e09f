"""This host's own addresses: host candidates, and which targets are its neighbours.

Addresses come from the kernel's routing: a UDP socket that is *connected*
(which sends nothing) to a target shows the source address that would be used.
Networks come from ``/proc``; without it only the addresses themselves are ours.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from pathlib import Path

from rendezvous.protocol.endpoints import Endpoint, Family

_ROUTES = Path("/proc/net/route")
_ROUTES_6 = Path("/proc/net/ipv6_route")
_AF: dict[Family, socket.AddressFamily] = {4: socket.AF_INET, 6: socket.AF_INET6}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def source_address(toward: Endpoint) -> str | None:
    """Return the address that a connection to an endpoint would leave from.

    Args:
        toward: any endpoint; nothing is sent to it.

    Returns:
        This host's address, or None without a route.
    """
    try:
        with socket.socket(_AF[toward.family], socket.SOCK_DGRAM) as probe:
            probe.connect((toward.address, toward.port))
            return str(Endpoint.of(probe.getsockname()[0], 1).address)
    except OSError:
        return None


def own_networks() -> tuple[Network, ...]:
    """Return the networks that this host is directly on (no gateway, not a default route)."""
    return (*_networks_4(), *_networks_6())


def _networks_4() -> list[Network]:
    networks: list[Network] = []
    for line in _lines(_ROUTES)[1:]:
        fields = line.split()
        destination, gateway, mask = (struct.pack("<I", int(fields[i], 16)) for i in (1, 2, 7))
        if gateway == bytes(4) and mask != bytes(4):
            text = f"{socket.inet_ntoa(destination)}/{socket.inet_ntoa(mask)}"
            networks.append(ipaddress.IPv4Network(text, strict=False))
    return networks


def _networks_6() -> list[Network]:
    networks: list[Network] = []
    for line in _lines(_ROUTES_6):
        fields = line.split()
        prefix = int(fields[1], 16)
        if int(fields[4], 16) == 0 and prefix > 0 and fields[9] != "lo":
            address = ipaddress.IPv6Address(bytes.fromhex(fields[0]))
            networks.append(ipaddress.IPv6Network((address, prefix), strict=False))
    return networks


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

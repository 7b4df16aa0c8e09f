"""Cables of the lab: veth pairs, their addresses, and who is where behind them.

Every link-layer address is known beforehand and entered at both ends, so that no first SYN waits
for ARP or neighbour discovery; IPv6 addresses work at once, without duplicate address detection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from lab import namespace
from lab.namespace import Namespace
from lab.topology import (
    ADDRESSES,
    NTP_IPV4,
    NTP_IPV6,
    RENDEZVOUS_IPV4,
    RENDEZVOUS_IPV6,
    SIDES,
    WorldSpec,
)

if TYPE_CHECKING:
    from pyroute2 import IPRoute

SERVERS_GATEWAY, SERVERS_GATEWAY6 = "192.0.2.1", "2001:db8:5::1"

_NO_DAD = 0x02
"""<linux/if_addr.h> IFA_F_NODAD."""
_PERMANENT = 0x80
"""<linux/neighbour.h> NUD_PERMANENT."""
_ONLINK = 0x4
"""<linux/rtnetlink.h> RTNH_F_ONLINK: the gateway is on this link, whatever the prefix says."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a cable."""

    role: str
    interface: str
    addresses: tuple[str, ...]
    """With prefix lengths."""
    routes: tuple[tuple[str, str], ...] = ()
    """(destination, gateway); a gateway of "" means directly behind the cable."""
    neighbours: tuple[str, ...] = ()
    """Further addresses that this end may have one day."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A cable with two ends."""

    one: End
    other: End


def wires(spec: WorldSpec) -> Iterator[Wire]:
    """List the cables of a lab; only addresses of the families it has."""
    for side in SIDES:
        at = ADDRESSES[side]
        behind = ((f"{at.public_peer}/32", at.wan), (f"{at.lan_peer6}/128", at.wan6))
        yield Wire(
            End("internet", f"to-{side}", (f"{at.gateway}/24", f"{at.gateway6}/64"), behind),
            End(
                f"router-{side}",
                "wan",
                (f"{at.wan}/24", f"{at.wan6}/64"),
                (("0.0.0.0/0", at.gateway), ("::/0", at.gateway6)),
            ),
        )
        yield Wire(
            End(
                f"router-{side}",
                "lan",
                (f"{at.private_router}/24", f"{at.public_router}/24", f"{at.lan_router6}/64"),
            ),
            # The peer's own address depends on the router: lab.world gives it.
            End(
                f"peer-{side}",
                "eth0",
                (),
                neighbours=(at.private_peer, at.public_peer, at.lan_peer6),
            ),
        )
    for role, own in (
        ("rendezvous", (RENDEZVOUS_IPV4, RENDEZVOUS_IPV6)),
        ("ntp", (*NTP_IPV4, *NTP_IPV6)),
    ):
        hosts = tuple(f"{address}/{ip_address(address).max_prefixlen}" for address in own)
        yield Wire(
            End(
                "internet",
                f"to-{role}",
                (f"{SERVERS_GATEWAY}/32", f"{SERVERS_GATEWAY6}/128"),
                tuple((host, "") for host in hosts),
            ),
            End(
                role,
                "eth0",
                hosts,
                (("0.0.0.0/0", SERVERS_GATEWAY), ("::/0", SERVERS_GATEWAY6)),
            ),
        )


def lay_all(spaces: Mapping[str, Namespace], spec: WorldSpec) -> None:
    """Lay every cable of a lab between namespaces that have none yet."""
    for role, space in spaces.items():
        if not spec.ipv6:
            space.write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
        elif role == "internet":
            space.write_sysctl("net/ipv6/conf/all/forwarding", "1")
        if role == "internet":
            space.write_sysctl("net/ipv4/ip_forward", "1")
        space.netlink(lambda ipr: ipr.link("set", index=1, state="up"))  # lo
    for number, wire in enumerate(wires(spec), start=1):
        _lay(wire, number, spaces, spec)


def _lay(wire: Wire, number: int, spaces: Mapping[str, Namespace], spec: WorldSpec) -> None:
    hardware = [f"02:00:00:00:{number:02x}:{end:02x}" for end in (1, 2)]
    one, other = wire.one, wire.other
    with (namespace.NETNS_FOLDER / spaces[other.role].name).open("rb") as target:
        spaces[one.role].netlink(
            lambda ipr: ipr.link(
                "add",
                ifname=one.interface,
                kind="veth",
                address=hardware[0],
                peer={
                    "ifname": other.interface,
                    "address": hardware[1],
                    "net_ns_fd": target.fileno(),
                },
            )
        )
    for end, far, address in ((one, other, hardware[1]), (other, one, hardware[0])):
        spaces[end.role].netlink(
            lambda ipr, end=end, far=far, address=address: _configure(  # type: ignore[misc]
                ipr, end, far, address, spec
            )
        )


def _configure(ipr: IPRoute, end: End, far: End, far_hardware: str, spec: WorldSpec) -> None:
    """Bring one end of a cable up with its addresses, neighbours and routes."""
    index = ipr.link_lookup(ifname=end.interface)[0]
    ipr.link("set", index=index, state="up")
    for entry in chosen(end.addresses, spec):
        address, _, length = entry.partition("/")
        add_address(ipr, index, address, int(length))
    far_addresses = [entry.partition("/")[0] for entry in far.addresses]
    for address in chosen([*far_addresses, *far.neighbours], spec):
        ipr.neigh("replace", dst=address, lladdr=far_hardware, ifindex=index, state=_PERMANENT)
    for destination, gateway in end.routes:
        if chosen([destination], spec):
            add_route(ipr, index, destination, gateway)


def chosen(addresses: Sequence[str], spec: WorldSpec) -> list[str]:
    """Keep addresses, with or without a prefix length, of the families that the lab has."""
    return [entry for entry in addresses if (spec.ipv6 if ":" in entry else spec.ipv4)]


def add_address(ipr: IPRoute, index: int, address: str, length: int) -> None:
    """Give an interface an address that works at once."""
    flags = {"flags": _NO_DAD} if ":" in address else {}
    ipr.addr("add", index=index, address=address, prefixlen=length, **flags)


def add_route(ipr: IPRoute, index: int, destination: str, gateway: str) -> None:
    """Add or replace a route; without a gateway the destination is behind the interface itself."""
    words = {"gateway": gateway, "flags": _ONLINK} if gateway else {}
    ipr.route("replace", dst=destination, oif=index, **words)

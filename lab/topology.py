"""What a lab looks like, as values: routers, links, sides, addresses. Nothing here acts.

::

    peer-a -- router-a ==.                          .== router-b -- peer-b
            lan        wan \\                      / wan         lan
                            internet (routes only)
                                  |    |
                          rendezvous  ntp

Delay, loss and so on are on the two access links (``==``), each direction by itself.

Reference: RFC 4787 section 4 and RFC 5382 for the words of mapping; RFC 5737, RFC 3849 and
RFC 2544 for the ranges of addresses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Side = Literal["a", "b"]
Mode = Literal["nat", "firewall", "none"]
Mapping = Literal["preserving", "remapped", "sequential", "random"]
Answer = Literal["rst", "drop", "icmp", "admin"]

SIDES: tuple[Side, ...] = get_args(Side)
MAPPINGS: tuple[Mapping, ...] = get_args(Mapping)
ANSWERS: tuple[Answer, ...] = get_args(Answer)
ROLES = ("internet", "rendezvous", "ntp", "router-a", "router-b", "peer-a", "peer-b")

RENDEZVOUS_IPV4, RENDEZVOUS_IPV6 = "192.0.2.10", "2001:db8:5::10"
NTP_IPV4 = ("192.0.2.21", "192.0.2.22", "192.0.2.23", "192.0.2.24")
NTP_IPV6 = ("2001:db8:5::21", "2001:db8:5::22", "2001:db8:5::23", "2001:db8:5::24")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSpec:
    """What a link does to packets that go one way."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """The delay varies by as much in both directions, evenly distributed."""
    loss_percent: float = 0.0
    reorder_percent: float = 0.0
    """Share of packets that skip the delay, and so overtake others."""
    rate_mbit: float = 0.0
    """0: unlimited."""

    def __post_init__(self) -> None:
        values = (self.delay_ms, self.jitter_ms, self.rate_mbit)
        if min(*values, self.loss_percent, self.reorder_percent) < 0:
            raise ValueError("a link's delay, jitter, loss, reordering and rate are not negative")
        if max(self.loss_percent, self.reorder_percent) > 100:
            raise ValueError("loss and reordering are at most 100 percent")
        if self.reorder_percent and not self.delay_ms:
            raise ValueError("reordering needs a delay: it is packets that skip the delay")

    @property
    def is_plain(self) -> bool:
        """Tell whether the link does nothing at all; then it needs no netem."""
        return self == PLAIN


PLAIN = LinkSpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSpec:
    """The link between a router and the internet, seen from the router."""

    up: LinkSpec = PLAIN
    down: LinkSpec = PLAIN

    @classmethod
    def half_of(cls, path: LinkSpec) -> AccessSpec:
        """Make one of two equal access links that together do to packets what ``path`` says.

        A packet from router to router climbs one link and descends the other: each has half of
        the delay. Jitter, loss and reordering happen on the way up only, so that they happen once.
        """
        half = path.delay_ms / 2
        up = LinkSpec(
            delay_ms=half,
            jitter_ms=path.jitter_ms,
            loss_percent=path.loss_percent,
            reorder_percent=path.reorder_percent,
            rate_mbit=path.rate_mbit,
        )
        return cls(up=up, down=LinkSpec(delay_ms=half, rate_mbit=path.rate_mbit))


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSpec:
    """How a router treats the flows of the peer behind it."""

    mode: Mode = "nat"
    mapping: Mapping = "preserving"
    """Of mode nat only."""
    answer: Answer = "rst"
    """To a SYN from outside that nobody asked for."""
    block_ntp: bool = False

    @classmethod
    def named(
        cls, kind: Mapping | Mode, *, answer: Answer = "rst", block_ntp: bool = False
    ) -> RouterSpec:
        """Make a router from one word: a mapping (which implies nat), ``firewall`` or ``none``."""
        match kind:
            case "preserving" | "remapped" | "sequential" | "random":
                return cls(mapping=kind, answer=answer, block_ntp=block_ntp)
            case "nat" | "firewall" | "none":
                return cls(mode=kind, answer=answer, block_ntp=block_ntp)

    @property
    def label(self) -> str:
        """The word of :meth:`named`."""
        return self.mapping if self.mode == "nat" else self.mode


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSpec:
    """One peer's way to the internet."""

    router: RouterSpec = field(default_factory=RouterSpec)
    access: AccessSpec = field(default_factory=AccessSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSpec:
    """A whole lab."""

    a: SideSpec = field(default_factory=SideSpec)
    b: SideSpec = field(default_factory=SideSpec)
    ipv4: bool = True
    ipv6: bool = False

    def __post_init__(self) -> None:
        if not (self.ipv4 or self.ipv6):
            raise ValueError("a lab needs IPv4, IPv6 or both")

    @classmethod
    def symmetric(
        cls,
        path: LinkSpec = PLAIN,
        router_a: RouterSpec | None = None,
        router_b: RouterSpec | None = None,
        *,
        ipv4: bool = True,
        ipv6: bool = False,
    ) -> WorldSpec:
        """Make a lab whose access links are equal halves of ``path``, from router to router."""
        access = AccessSpec.half_of(path)
        return cls(
            a=SideSpec(router=router_a or RouterSpec(), access=access),
            b=SideSpec(router=router_b or RouterSpec(), access=access),
            ipv4=ipv4,
            ipv6=ipv6,
        )

    def side(self, side: Side) -> SideSpec:
        """Return the spec of side ``a`` or ``b``."""
        return self.a if side == "a" else self.b

    @property
    def needs_netem(self) -> bool:
        """Tell whether any link does anything to packets."""
        links = (self.a.access.up, self.a.access.down, self.b.access.up, self.b.access.down)
        return not all(link.is_plain for link in links)


@dataclass(frozen=True, slots=True, kw_only=True)
class SideAddresses:
    """The addresses of one side. Prefix lengths: IPv4 24, IPv6 64."""

    gateway: str
    """The internet's end of the access link."""
    gateway6: str
    wan: str
    wan6: str
    private_router: str
    private_peer: str
    public_router: str
    """LAN addresses where the router does not translate."""
    public_peer: str
    lan_router6: str
    lan_peer6: str

    def peer(self, mode: Mode) -> str:
        """Return the peer's own IPv4 address behind a router of this mode."""
        return self.private_peer if mode == "nat" else self.public_peer

    def router(self, mode: Mode) -> str:
        """Return the router's IPv4 address in the LAN."""
        return self.private_router if mode == "nat" else self.public_router

    def outside(self, mode: Mode) -> str:
        """Return the IPv4 address by which the internet knows the peer."""
        return self.wan if mode == "nat" else self.public_peer


def _side_addresses(net: str, number: int, letter: str) -> SideAddresses:
    return SideAddresses(
        gateway=f"{net}.1",
        wan=f"{net}.2",
        gateway6=f"2001:db8:{letter}::1",
        wan6=f"2001:db8:{letter}::2",
        private_router=f"10.{number}.0.1",
        private_peer=f"10.{number}.0.2",
        public_router=f"198.18.{number}.1",
        public_peer=f"198.18.{number}.2",
        lan_router6=f"2001:db8:{letter}1::1",
        lan_peer6=f"2001:db8:{letter}1::2",
    )


ADDRESSES: dict[Side, SideAddresses] = {
    "a": _side_addresses("198.51.100", 1, "a"),
    "b": _side_addresses("203.0.113", 2, "b"),
}

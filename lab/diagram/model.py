"""Values of a space-time diagram: two hosts, packets as arrows between them, TCP states.

What is drawn and what is claimed both come from these values; :mod:`lab.diagram.match` makes them
from two captures, one taken at each host's own interface, in front of its NAT.

Times are nanoseconds after the diagram's origin, which is the agreed instant as a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from statistics import median

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
"""TCP control bits (RFC 9293 §3.1)."""

SEQ_SPACE = 1 << 32
"""Sequence numbers wrap here (RFC 9293 §3.4)."""


class Side(Enum):
    """One of the two hosts: A is drawn on the left."""

    A = "A"
    B = "B"

    @property
    def other(self) -> Side:
        """The host at the far end."""
        return Side.B if self is Side.A else Side.A


class Kind(Enum):
    """What a packet is to the reader of a diagram; the value is its name there."""

    SYN = "SYN"
    SYN_ACK = "SYN·ACK"
    ACK = "ACK"
    DATA = "data"
    FIN = "FIN"
    RST = "RST"
    ICMP = "ICMP"

    @property
    def is_refusal(self) -> bool:
        """Whether it ends a connection attempt."""
        return self in (Kind.RST, Kind.ICMP)


class Fate(Enum):
    """How a packet ended."""

    ARRIVED = "arrived"
    """The other host's capture has it."""
    REFUSED = "refused"
    """It got no further than a router, which answered it."""
    LOST = "lost"
    """Nobody saw it again."""


class State(Enum):
    """Connection states (RFC 9293 §3.3.2)."""

    CLOSED = "CLOSED"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"


@dataclass(frozen=True, slots=True)
class Flow:
    """A TCP flow as one host sees it; its NAT and the other's show the world another one."""

    local: tuple[str, int]
    remote: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet in one host's capture: TCP, or an ICMP error about TCP."""

    t_ns: int
    """When the interface saw it, on the captures' common clock."""
    out: bool
    """Whether it left the host (or came to it)."""
    flow: Flow
    """The flow it belongs to; for an ICMP error the flow of the packet it quotes."""
    flags: int = 0
    seq: int = 0
    """Sequence number; for an ICMP error the quoted one."""
    ack: int = 0
    length: int = 0
    """Bytes of payload."""
    payload: bytes = b""
    """As much of the payload as the capture kept."""
    icmp: str | None = None
    """Name of the ICMP error, None for TCP."""

    @property
    def kind(self) -> Kind:
        """What it is to a reader."""
        if self.icmp is not None:
            return Kind.ICMP
        if self.flags & RST:
            return Kind.RST
        if self.flags & SYN:
            return Kind.SYN_ACK if self.flags & ACK else Kind.SYN
        if self.length:
            return Kind.DATA
        return Kind.FIN if self.flags & FIN else Kind.ACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One packet on its way from one side to the other."""

    sender: Side
    """The side it comes from: the host there, or the router in front of it."""
    kind: Kind
    start_ns: int
    """When it left; half the round trip after the packet it answers if a router sent it."""
    end_ns: int
    """When it arrived; where it did not, when it would have got as far as it is drawn."""
    fate: Fate = Fate.ARRIVED
    from_router: bool = False
    """It arrived, but the other host never sent it."""
    answers: int | None = None
    """For a refusal: the index of the SYN that it refuses."""
    shot: int = 0
    """For a SYN: the how manyeth `connect()` of its host on this flow, from 1."""
    again: bool = False
    """A retransmission."""
    isn: int = 0
    """For a SYN or SYN·ACK: the sender's initial sequence number, absolute."""
    peer_isn: int | None = None
    """For a SYN·ACK: the initial sequence number that it acknowledges, absolute."""
    seq: int | None = None
    """Relative to the sender's SYN; None where it means nothing."""
    ack: int | None = None
    """Relative to the receiver's SYN; None without ACK, or where it means nothing."""
    length: int = 0
    note: str | None = None
    """What the caller knows of it: a quoted message, the name of an ICMP error."""

    @property
    def left_host(self) -> Side | None:
        """The host that it left from; None for a router's answer."""
        return None if self.from_router else self.sender

    @property
    def reached_host(self) -> Side | None:
        """The host that it reached; None if it reached none."""
        return self.sender.other if self.fate is Fate.ARRIVED else None

    @property
    def label(self) -> str:
        """What stands beside the arrow."""
        return " ".join(self._words())

    def _words(self) -> list[str]:
        if self.kind is Kind.SYN:
            words = ["SYN" if self.shot <= 1 else f"SYN #{self.shot}", f"seq={self.seq}"]
        elif self.kind is Kind.DATA:
            words = [f"“{self.note}”" if self.note else "data", f"{self.length} B"]
        else:
            words = [self.kind.value]
            if self.note:
                words.append(self.note)
        if self.again:
            words.append("again")
        return words


@dataclass(frozen=True, slots=True)
class StateChange:
    """A host's TCP state from `t_ns` on, as RFC 9293 has it for the packets seen."""

    side: Side
    t_ns: int
    state: State


@dataclass(frozen=True, slots=True)
class SpaceTime:
    """Everything a drawing shows, and everything the claim is decided from."""

    names: tuple[str, str]
    origin_ns: int
    """The captures' time that the diagram calls 0."""
    arrows: tuple[Arrow, ...]
    """By the time they left."""
    changes: tuple[StateChange, ...]
    """By time."""

    def name(self, side: Side) -> str:
        """What that host is called in the drawing."""
        return self.names[0] if side is Side.A else self.names[1]

    @property
    def decimals(self) -> int:
        """How many decimals of a millisecond tell two packets apart."""
        flights = [arrow.end_ns - arrow.start_ns for arrow in self.arrows]
        return 1 if not flights or median(flights) > 500_000 else 3

    def established_ns(self, side: Side) -> int | None:
        """When that host came to ESTABLISHED for the last time, None if never.

        The last, since a failed attempt on the same flow is not the connection.
        """
        times = [c.t_ns for c in self.changes if c.side is side and c.state is State.ESTABLISHED]
        return times[-1] if times else None

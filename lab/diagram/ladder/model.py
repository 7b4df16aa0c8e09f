"""Values of a ladder: packets between any number of life lines, and what happened at each line.

Where :mod:`lab.diagram.model` knows two hosts and one flow, a ladder has as many lines as wanted,
each a host or only one endpoint of it, and any flows. A packet may come back to the line that it
left: a socket that talks to itself.

Times are nanoseconds after the ladder's origin, its first packet as a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from statistics import median

from lab.diagram.model import Kind

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Lane:
    """A life line."""

    name: str
    detail: str = ""
    """Under the name: an address, as a rule."""
    room: str = ""
    """Whose capture has its packets."""
    endpoints: frozenset[Endpoint] | None = None
    """Which of the room's packets are its own; None: those of no other lane."""
    poses_as: str = ""
    """In whose name its packets are sent, if not in its own."""
    states: bool = True
    """Whether to show its states; one lane with several connections has too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """One packet on its way."""

    source: int
    """The lane that it left, by number."""
    target: int
    """The one that it reached, or was meant for."""
    start_ns: int
    end_ns: int
    """When it arrived; a lost one: when it left."""
    kind: Kind
    flags: str
    """``SYN·ACK``, or ``UDP``."""
    seq: int | None = None
    """Relative to the sender's SYN."""
    ack: int | None = None
    """Relative to the SYN that the sender had received."""
    length: int = 0
    quote: str = ""
    """What it says, where that is one of the messages looked for."""
    again: bool = False
    """A SYN that was sent before: a retransmission."""
    forged_as: str = ""
    """In whose name it was sent, if that is not the lane it left."""
    lost: bool = False
    """No capture has its arrival."""
    flow: tuple[Endpoint, Endpoint] = (("", 0), ("", 0))
    """Source and destination, as they stand in the packet."""

    @property
    def label(self) -> str:
        """What stands beside the arrow: flags, relative numbers, payload."""
        numbers = {"seq": self.seq, "ack": self.ack}
        words = [f"{name}={number}" for name, number in numbers.items() if number is not None]
        return " ".join([self.flags, *words, *self._payload])

    @property
    def short(self) -> str:
        """The same without the numbers, for where there is no room."""
        return " ".join([self.flags, *self._payload])

    @property
    def _payload(self) -> list[str]:
        if self.quote:
            return [f"“{self.quote}”"]
        if self.forged_as:
            return [f"as “{self.forged_as}”"]
        return [f"{self.length} B"] if self.length else ["again"] if self.again else []


class Mark(Enum):
    """What kind of thing happened at a lane."""

    STATE = "state"
    """A TCP state, by RFC 9293 and the packets seen."""
    SAID = "said"
    """What a program was told by the kernel, or did."""
    FAILED = "failed"
    """An error that a program was told."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened at a lane."""

    lane: int
    t_ns: int
    text: str
    mark: Mark = Mark.SAID


@dataclass(frozen=True, slots=True)
class Fold:
    """Packets that are not drawn one by one."""

    start_ns: int
    end_ns: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Everything that a drawing shows."""

    lanes: tuple[Lane, ...]
    origin_ns: int
    """What is called 0, on the captures' clock."""
    flights: tuple[Flight, ...]
    """By the time they left."""
    notes: tuple[Note, ...] = ()
    folds: tuple[Fold, ...] = ()

    @property
    def decimals(self) -> int:
        """How many decimals of a millisecond tell two packets apart."""
        times = [flight.end_ns - flight.start_ns for flight in self.flights if not flight.lost]
        return 1 if times and median(times) > 500_000 else 3

    def states(self, lane: int) -> list[str]:
        """Return the states that a lane came to, by time."""
        return [n.text for n in self.notes if n.lane == lane and n.mark is Mark.STATE]

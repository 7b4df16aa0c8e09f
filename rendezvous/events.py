"""What happens to a session, and what it asks for: the words of :mod:`rendezvous.session`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from rendezvous.protocol.messages import Reason, RelayPolicy, Report, Seat


class State(Enum):
    """Where a session is."""

    EMPTY = auto()
    """Nobody has sat down yet."""
    WAITING = auto()
    """One seat is taken."""
    PAIRED = auto()
    """Both are."""
    HALF = auto()
    """A peer has left; the other one may still be at work."""
    OVER = auto()
    """Both have left."""
    BURNED = auto()
    """The far end could not prove the code: nothing is appointed any more."""


@dataclass(frozen=True, slots=True)
class SeatTaken:
    """A client has sat down."""

    seat: Seat
    digest: bytes
    """SHA-256 of its seat secret."""


@dataclass(frozen=True, slots=True)
class PakeSent:
    """A peer has sent its message of the key exchange."""

    seat: Seat
    message: str


@dataclass(frozen=True, slots=True)
class RelayWished:
    """A peer has said what it thinks of a relay."""

    seat: Seat
    policy: RelayPolicy


@dataclass(frozen=True, slots=True)
class Reported:
    """A peer has said what it knows of itself; only nameable candidates in it."""

    seat: Seat
    attempt: int
    report: Report


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Nobody waits any more for what becomes of a report: its peer may be learning anew."""

    seat: Seat
    attempt: int


@dataclass(frozen=True, slots=True)
class SeatLeft:
    """A peer has left."""

    seat: Seat
    reason: Reason


@dataclass(frozen=True, slots=True)
class Burned:
    """A peer has left since its far end could not prove the code."""

    seat: Seat


Event = SeatTaken | PakeSent | RelayWished | Reported | Withdrawn | SeatLeft | Burned


@dataclass(frozen=True, slots=True)
class Wake:
    """Look again at whatever is parked on this session."""


@dataclass(frozen=True, slots=True)
class Linger:
    """Nobody is expected any more: keep the session only for repeated requests."""


Command = Wake | Linger

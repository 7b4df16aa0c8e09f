"""What the machine of one session is told, and what it orders: :mod:`peer.core.agent`'s words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from peer.errors import MidairError
from rendezvous.protocol.messages import (
    Appointment,
    AttemptResult,
    Reason,
    RelayPolicy,
    Report,
    Verdict,
)


class State(Enum):
    """Where the session stands."""

    SEATING = auto()
    WAITING = auto()
    LEARNING = auto()
    REPORTING = auto()
    FIRING = auto()
    RELAYING = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Seated:
    """This peer has a seat; ``paired``: the partner has the other one."""

    paired: bool
    partner_relay: RelayPolicy | None = None
    """What the partner thinks of a relay, where it is there; None: it knows no relay."""
    has_relay: bool = False
    """The rendezvous has one."""


@dataclass(frozen=True, slots=True)
class PartnerCame:
    """The other seat is taken."""

    relay: RelayPolicy | None = None
    """What it thinks of a relay; None: it knows none."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Clock and mapping are known."""

    report: Report
    mapping_changed: bool = False
    """The NAT's address is another one than at the attempt before."""


@dataclass(frozen=True, slots=True)
class Appointed:
    """The rendezvous answered with a plan."""

    appointment: Appointment


@dataclass(frozen=True, slots=True)
class Judged:
    """The rendezvous answered that there is no plan."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class PartnerLeft:
    """The partner gave its seat up."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Connected:
    """An attempt ended with a proven connection that both ends keep."""


@dataclass(frozen=True, slots=True)
class Missed:
    """An attempt ended without one."""

    result: AttemptResult


@dataclass(frozen=True, slots=True)
class MissedLast:
    """The same, and another attempt would be of no use."""

    result: AttemptResult


@dataclass(frozen=True, slots=True)
class RelayLeft:
    """Only the relay is left to try."""

    verdict: MidairError | None
    """Why there is no path; None: none was wanted."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Time is over, or the user stopped it."""

    error: MidairError
    reason: Reason


Event = (
    Seated
    | PartnerCame
    | Learned
    | Appointed
    | Judged
    | PartnerLeft
    | Connected
    | Missed
    | MissedLast
    | RelayLeft
    | Stopped
)


@dataclass(frozen=True, slots=True)
class TakeSeat:
    """Open or join the session."""


@dataclass(frozen=True, slots=True)
class AwaitPartner:
    """Poll until the partner is there."""


@dataclass(frozen=True, slots=True)
class Learn:
    """Measure clock and mapping on fresh ports."""

    attempt: int


@dataclass(frozen=True, slots=True)
class SendReport:
    """Hand the report in; poll until it is answered."""

    attempt: int
    report: Report


@dataclass(frozen=True, slots=True)
class Fire:
    """Keep the appointment."""

    appointment: Appointment


@dataclass(frozen=True, slots=True)
class Relay:
    """Meet the partner at the relay."""

    verdict: MidairError | None
    """Why there is no path, for the user; None: none was wanted."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Tell the rendezvous, and so the partner."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Finish:
    """The session is over; ``error`` is None when there is a connection."""

    error: MidairError | None


Command = TakeSeat | AwaitPartner | Learn | SendReport | Fire | Relay | Leave | Finish

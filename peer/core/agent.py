"""One peer's whole session, from taking a seat to a connection or a verdict.

A machine over facts and orders: it decides what comes next, how often, and what
a miss means; ``peer.io.runner`` does it.

::

    SEATING ─Seated→ WAITING ─PartnerCame→ LEARNING ─Learned→ REPORTING ─Appointed→ FIRING
                                              ↑                                        │
                                              └──────────────── Missed ────────────────┤
                                                                             Connected → DONE
    any ─Stopped | PartnerLeft→ FAILED;  REPORTING ─Judged→ FAILED;  FIRING ─MissedLast→ FAILED
    REPORTING ─Missed→ LEARNING, where a restart of the rendezvous has swallowed the appointment
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from peer.core.verdict import explain
from peer.errors import MidairError
from rendezvous.protocol.messages import Appointment, AttemptResult, Reason, Report, Verdict

MAX_ATTEMPTS = 3
"""DCUtR's own number; 97.6 % of its successes were the first (arXiv 2510.27500)."""


class State(Enum):
    """Where the session stands."""

    SEATING = auto()
    WAITING = auto()
    LEARNING = auto()
    REPORTING = auto()
    FIRING = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Seated:
    """This peer has a seat; ``paired``: the partner has the other one."""

    paired: bool


@dataclass(frozen=True, slots=True)
class PartnerCame:
    """The other seat is taken."""


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
class Leave:
    """Tell the rendezvous, and so the partner."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Finish:
    """The session is over; ``error`` is None when there is a connection."""

    error: MidairError | None


Command = TakeSeat | AwaitPartner | Learn | SendReport | Fire | Leave | Finish

TRANSITIONS: dict[tuple[State, type[Event]], State] = {
    (State.SEATING, Seated): State.WAITING,
    (State.WAITING, PartnerCame): State.LEARNING,
    (State.LEARNING, Learned): State.REPORTING,
    (State.REPORTING, Appointed): State.FIRING,
    (State.REPORTING, Judged): State.FAILED,
    (State.FIRING, Connected): State.DONE,
    (State.FIRING, Missed): State.LEARNING,
    (State.FIRING, MissedLast): State.FAILED,
    # The partner has kept an appointment that this peer never heard of.
    (State.REPORTING, Missed): State.LEARNING,
    (State.REPORTING, MissedLast): State.FAILED,
    **{
        (state, event): State.FAILED
        for state in (State.SEATING, State.WAITING, State.LEARNING, State.REPORTING, State.FIRING)
        for event in (PartnerLeft, Stopped)
    },
}
"""What is not here cannot happen, and raises KeyError."""


@dataclass(slots=True)
class Agent:
    """The session of one peer.

    Attributes:
        state: where it stands.
        misses: the result of every attempt so far.
    """

    state: State = State.SEATING
    attempt: int = 1
    misses: list[AttemptResult] = field(default_factory=list)

    def start(self) -> Sequence[Command]:
        """Return the first order."""
        return [TakeSeat()]

    def handle(self, event: Event) -> Sequence[Command]:
        """Take one past fact, return the orders that follow from it.

        Args:
            event: what happened.

        Returns:
            Orders, to be carried out in this order.

        Raises:
            KeyError: the event cannot happen in this state.
        """
        if isinstance(event, Missed) and self._is_last(event.result):
            event = MissedLast(event.result)
        self.state = TRANSITIONS[self.state, type(event)]
        match event:
            case Seated(paired):
                return self.handle(PartnerCame()) if paired else [AwaitPartner()]
            case PartnerCame():
                return [Learn(self.attempt)]
            case Learned(report, changed):
                return [SendReport(self.attempt, self._with_history(report, changed))]
            case Appointed(appointment):
                return [Fire(appointment)]
            case Connected():
                return [Finish(None)]
            case Missed(result):
                self.misses.append(result)
                self.attempt += 1
                return [Learn(self.attempt)]
            case MissedLast(result):
                self.misses.append(result)
                return [Leave(result.reason), Finish(explain(result.reason, "you"))]
            case Judged(verdict):
                error = explain(verdict.reason, verdict.who)
                return [Leave(verdict.reason), Finish(error)]
            case PartnerLeft(reason):
                return [Leave(reason), Finish(explain(reason, "partner"))]
            case Stopped(error, reason):
                return [Leave(reason), Finish(error)]

    def _with_history(self, report: Report, changed: bool) -> Report:
        if not self.misses:
            return report
        last = self.misses[-1]
        if changed:
            last = last.model_copy(update={"reason": Reason.MAPPING_CHANGED})
            self.misses[-1] = last
        return report.model_copy(update={"previous": last})

    def _is_last(self, result: AttemptResult) -> bool:
        # A wrong code stays wrong: another attempt would only offer another guess.
        return result.reason is Reason.AUTHENTICATION or self.attempt >= MAX_ATTEMPTS

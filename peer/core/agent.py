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

Where both peers want a relay and the rendezvous has one, no path is not the end::

    WAITING ─RelayLeft→ RELAYING, where one of them wants nothing else
    LEARNING | REPORTING | FIRING ─RelayLeft→ RELAYING ─Connected→ DONE

A wrong code stays wrong over a relay: that is the end in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from peer.core.steps import (
    Appointed,
    AwaitPartner,
    Command,
    Connected,
    Event,
    Finish,
    Fire,
    Judged,
    Learn,
    Learned,
    Leave,
    Missed,
    MissedLast,
    PartnerCame,
    PartnerLeft,
    Relay,
    RelayLeft,
    Seated,
    SendReport,
    State,
    Stopped,
    TakeSeat,
)
from peer.core.verdict import explain, no_relay, not_relayed
from peer.errors import AuthenticationError, MidairError, NoPathError
from rendezvous.protocol.messages import (
    AttemptResult,
    Reason,
    RelayPolicy,
    Report,
)

MAX_ATTEMPTS = 3
"""DCUtR's own number; 97.6 % of its successes were the first (arXiv 2510.27500)."""


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
        (state, RelayLeft): State.RELAYING
        for state in (State.WAITING, State.LEARNING, State.REPORTING, State.FIRING)
    },
    (State.RELAYING, Connected): State.DONE,
    **{
        (state, event): State.FAILED
        for state in State
        if state not in (State.DONE, State.FAILED)
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
        verdict: why there is no path, once the relay is tried.
    """

    relay: RelayPolicy = "never"
    """What this peer's user thinks of a relay."""
    state: State = State.SEATING
    attempt: int = 1
    misses: list[AttemptResult] = field(default_factory=list)
    verdict: MidairError | None = None
    _partner_relay: RelayPolicy | None = None
    _has_relay: bool = False

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
        if isinstance(event, MissedLast) and self._is_relayed_after(event.result.reason):
            self.misses.append(event.result)
            event = RelayLeft(explain(event.result.reason, "you"))
        elif isinstance(event, Judged) and self._is_relayed_after(event.verdict.reason):
            event = RelayLeft(explain(event.verdict.reason, event.verdict.who))
        self.state = TRANSITIONS[self.state, type(event)]
        match event:
            case Seated(paired, partner_relay, has_relay):
                self._has_relay = has_relay
                if self.relay == "only" and not has_relay:
                    return self._without_relay(no_relay("rendezvous"))
                return self.handle(PartnerCame(partner_relay)) if paired else [AwaitPartner()]
            case PartnerCame(relay):
                self._partner_relay = relay
                return self._begin()
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
                return [Leave(reason), Finish(self._explain_leaving(reason))]
            case RelayLeft(verdict):
                self.verdict = verdict
                return [Relay(verdict)]
            case Stopped(error, reason):
                return [Leave(reason), Finish(error)]

    @property
    def may_relay(self) -> bool:
        """Tell whether there is a relay, and both peers want it, if only at the last."""
        wishes = (self.relay, self._partner_relay)
        return self._has_relay and not any(wish in (None, "never") for wish in wishes)

    @property
    def is_relay_left(self) -> bool:
        """Tell whether a peer whose time for a path is over has a relay left to try."""
        is_trying = self.state in (State.LEARNING, State.REPORTING, State.FIRING)
        # A partner that was never heard of will not come to the relay, either.
        was_heard = bool(self.misses) or self.state is State.FIRING
        return is_trying and was_heard and self.may_relay

    def _begin(self) -> Sequence[Command]:
        if "only" not in (self.relay, self._partner_relay):
            return [Learn(self.attempt)]
        if self.may_relay:
            return self.handle(RelayLeft(None))
        if not self._has_relay:
            return self._without_relay(no_relay("rendezvous"))
        return self._without_relay(no_relay("partner" if self.relay == "only" else "you"))

    def _without_relay(self, error: NoPathError) -> Sequence[Command]:
        return self.handle(Stopped(error, error.reason))

    def _is_relayed_after(self, reason: Reason) -> bool:
        return self.may_relay and reason is not Reason.AUTHENTICATION

    def _explain_leaving(self, reason: Reason) -> MidairError:
        error = explain(reason, "partner")
        if self.verdict is None or isinstance(error, AuthenticationError):
            return error
        return not_relayed(self.verdict, "your partner has left", "")

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

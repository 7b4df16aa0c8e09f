"""The machine of one session: two seats, their reports, and what was agreed.

Theory of operation
-------------------

Everything that a peer asks may be asked again, since answers get lost: a seat
is taken by its secret, an outcome belongs to (seat, attempt) and never changes
once it exists.  The machine holds no clock and wakes nobody; it returns what
must be done as commands.

A report counts only while its peer waits for the answer: a poll that ends
without one withdraws it, since the peer may go and learn anew, with other
ports, and an appointment made meanwhile would send the partner to ports that
are nobody's.  The peer's next request brings a report back, its old one or a
better one; the partner, who came in between, is woken by it and has lost one
round trip.  A lost answer costs nothing: an outcome that exists is not undone.
Of each seat only the newest attempt's report is kept.

A peer that has its connection leaves with ``done`` while its partner may still
be at work: the partner keeps getting the outcomes that exist, and hears of the
leaving only where it would otherwise wait for a report that never comes.
Leaving with ``authentication`` burns the session: somebody without the code was
at the far end, and nobody shall guess twice.

A restarted server knows nothing; the seats come back one by one from the
credentials in the requests, in any order.

The peers' messages of their key exchange are passed on, one a seat, and the first stays: with a
second one a stranger in the seat would have a second guess at the words of the code.

What each peer thinks of a relay is passed on, too: there is none unless both want it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from rendezvous.events import (
    Burned,
    Command,
    Event,
    Linger,
    PakeSent,
    RelayWished,
    Reported,
    SeatLeft,
    SeatTaken,
    State,
    Wake,
    Withdrawn,
)
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import (
    Appointment,
    Reason,
    RelayPolicy,
    Report,
    Seat,
    Verdict,
)
from rendezvous.protocol.planner import Plan, plan
from rendezvous.refusal import Refused

ATTEMPTS_KEPT = 2
"""One peer may have gone on to the next attempt while the other's answer was lost."""


TRANSITIONS: dict[tuple[State, type[Event]], State] = {
    (State.EMPTY, SeatTaken): State.WAITING,
    (State.WAITING, SeatTaken): State.PAIRED,
    (State.WAITING, Reported): State.WAITING,
    (State.WAITING, SeatLeft): State.HALF,
    (State.WAITING, Burned): State.BURNED,
    (State.PAIRED, Reported): State.PAIRED,
    (State.PAIRED, SeatLeft): State.HALF,
    (State.PAIRED, Burned): State.BURNED,
    **{(state, Withdrawn): state for state in State if state is not State.EMPTY},
    **{(state, PakeSent): state for state in State if state is not State.EMPTY},
    **{(state, RelayWished): state for state in State if state is not State.EMPTY},
    (State.HALF, SeatTaken): State.HALF,
    (State.HALF, SeatLeft): State.OVER,
    (State.HALF, Burned): State.BURNED,
    (State.BURNED, SeatTaken): State.BURNED,
    (State.BURNED, SeatLeft): State.BURNED,
    (State.BURNED, Burned): State.BURNED,
}
"""One seat may report alone (WAITING) and be taken late (HALF, BURNED): after a restart."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer hears of an attempt or of its partner: at most one field is set."""

    outcome: Appointment | Verdict | None = None
    left: Reason | None = None


def secret_digest(secret: str) -> bytes:
    """Turn a seat secret into what is kept of it.

    Args:
        secret: as sent; 256 random bits, so that a plain hash is enough.

    Returns:
        32 octets.
    """
    return hashlib.sha256(secret.encode()).digest()


@dataclass(slots=True)
class Session:
    """One session; read ``state``, change it by :meth:`handle` only."""

    state: State = State.EMPTY
    _digests: dict[Seat, bytes] = field(default_factory=dict)
    has_words: bool = False
    """Whether a key was exchanged, so that there is something to guess at."""
    _pakes: dict[Seat, str] = field(default_factory=dict)
    _relays: dict[Seat, RelayPolicy] = field(default_factory=dict)
    _left: dict[Seat, Reason] = field(default_factory=dict)
    _reports: dict[int, dict[Seat, Report | None]] = field(default_factory=dict)
    """Who has reported for which attempt; None where the report does not count any more."""
    _outcomes: dict[int, Plan] = field(default_factory=dict)

    def is_taken(self, seat: Seat) -> bool:
        """Tell whether somebody has sat down there, and perhaps left again."""
        return seat in self._digests

    def holds(self, seat: Seat, digest: bytes) -> bool:
        """Tell, in constant time, whether this is the secret that took the seat."""
        return hmac.compare_digest(self._digests.get(seat, b""), digest)

    def has_left(self, seat: Seat) -> bool:
        """Tell whether the peer of this seat has left."""
        return seat in self._left

    def partner_left(self, seat: Seat) -> Reason | None:
        """Return why the partner has left, None while it has not."""
        return self._left.get(_other(seat))

    def partner_pake(self, seat: Seat) -> str | None:
        """Return the partner's message of the key exchange, None while it has sent none."""
        return self._pakes.get(_other(seat))

    def partner_relay(self, seat: Seat) -> RelayPolicy | None:
        """Return what the partner thinks of a relay, None while it has said nothing."""
        return self._relays.get(_other(seat))

    @property
    def may_be_relayed(self) -> bool:
        """Tell whether both peers are there and want a relay, if only at the last."""
        both = [self._relays.get(seat) for seat in self._digests if seat not in self._left]
        return len(both) == 2 and all(policy not in (None, "never") for policy in both)

    def answer(self, seat: Seat, attempt: int) -> Answer | None:
        """Return what is known of an attempt.

        Args:
            seat: who asks.
            attempt: 1, 2, …

        Returns:
            The outcome, always the same one; else why the partner left; None
            while its report is awaited.

        Raises:
            Refused: ``closed``, since the partner will never report for this
                attempt: it is at a later one.
        """
        if (agreed := self._outcomes.get(attempt)) is not None:
            return Answer(outcome=agreed.a if seat == "a" else agreed.b)
        if (reason := self.partner_left(seat)) is not None:
            return Answer(left=reason)
        ahead = max((n for n, by in self._reports.items() if _other(seat) in by), default=0)
        if ahead > attempt:
            raise Refused(ProblemWord.CLOSED, f"the partner is at attempt {ahead} already")
        return None

    def handle(self, event: Event, *, now_us: int) -> list[Command]:
        """Take note of an event.

        Args:
            event: what happened; the caller has checked the seat's secret.
            now_us: the rendezvous's time, from which an appointment is made.

        Returns:
            What to do now.

        Raises:
            Refused: ``closed``, the event has no place in this state; ``forbidden``, the seat
                has sent another message of the key exchange before.
        """
        after = TRANSITIONS.get((self.state, type(event)))
        if after is None:
            raise Refused(ProblemWord.CLOSED, "the session is over: open a new one")
        self.state = after
        match event:
            case SeatTaken(seat, digest):
                self._digests[seat] = digest
                return [Wake()]
            case PakeSent(seat, message):
                return self._take_pake(seat, message)
            case RelayWished(seat, policy):
                self._relays.setdefault(seat, policy)
                return []
            case Reported(seat, attempt, report):
                return self._take_report(seat, attempt, report, now_us)
            case Withdrawn(seat, attempt):
                self._set_aside(seat, attempt)
                return []
            case SeatLeft(seat, reason):
                return self._leave(seat, reason)
            case Burned(seat):
                return self._leave(seat, Reason.AUTHENTICATION)

    def _take_pake(self, seat: Seat, message: str) -> list[Command]:
        if seat not in self._pakes:
            self.has_words = True
            self._pakes[seat] = message
            return [Wake()]
        if self._pakes[seat] != message:
            raise Refused(ProblemWord.FORBIDDEN, "this seat has sent another PAKE message before")
        return []

    def _take_report(self, seat: Seat, attempt: int, report: Report, now_us: int) -> list[Command]:
        if attempt in self._outcomes:
            return []
        reached = max((n for n, by in self._reports.items() if seat in by), default=attempt)
        if attempt < reached:  # a repeated request that was under way for long
            return []
        if attempt > reached:
            self._set_aside(seat, reached)
        self._reports.setdefault(attempt, {})[seat] = report
        both = self._reports[attempt]
        report_a, report_b = both.get("a"), both.get("b")
        if report_a is not None and report_b is not None:
            self._outcomes[attempt] = plan(report_a, report_b, attempt, now_us)
            both["a"] = both["b"] = None
        newest = max(self._reports)
        for old in [n for n in self._reports if n <= newest - ATTEMPTS_KEPT]:
            del self._reports[old]
            self._outcomes.pop(old, None)
        # Also without an outcome: the partner may be parked at an earlier attempt.
        return [Wake()]

    def _set_aside(self, seat: Seat, attempt: int) -> None:
        # That it was made is remembered: a partner at an earlier attempt is behind.
        reports = self._reports.get(attempt, {})
        if seat in reports:
            reports[seat] = None

    def _leave(self, seat: Seat, reason: Reason) -> list[Command]:
        self._left.setdefault(seat, reason)
        if len(self._left) == 2:
            # Who has left is told that, whatever it asks: what was agreed is read by nobody now.
            for kept in (self._pakes, self._reports, self._outcomes):
                kept.clear()
        if self.state is State.BURNED:
            # Kept as long as any: who had it next would have a guess at the partner's words, too.
            return [Wake()]
        nobody_expected = len(self._left) == 2 or len(self._digests) < 2
        return [Wake(), Linger()] if nobody_expected else [Wake()]


def _other(seat: Seat) -> Seat:
    return "b" if seat == "a" else "a"

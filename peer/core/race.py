"""Which of the opened connections is kept: a machine that both peers run.

Theory of operation
-------------------
More than one pair may open, and both ends must keep the same one.  So one end
decides: the initiator sends SELECT on the first connection whose far end has
proven itself; the responder answers SELECTED on it and is done; the initiator
is done when that answer arrives.  Both then drop the rest.

An answer may be lost with its connection.  After 2 round trips and a second
without it the initiator selects the next proven connection, but it keeps the
first one open: the responder answers at most once, so whichever SELECTED
arrives is the one that counts, however late.

Where nobody has appointed the roles (``midair meet``) each greeting finds them, by
the tie-breaks in the two nonces; see :func:`peer.core.proof.role_of`.  They come
out the same on every connection between the same two ends.

A connection whose far end speaks garbage, breaks, or cannot prove that it knows
the code is dropped and its pair is spent; the others go on.  A wrong proof is most
likely a wrong code, and then all pairs are in vain: the others have as long as an
answer may take, two round trips and a second, to show that it was somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from peer.core import proof
from peer.core.greeting import Greeting, Hello, Proof, Select, Selected
from peer.core.proof import Place
from peer.core.race_events import (
    Broken,
    Command,
    Drop,
    Event,
    Keep,
    Opened,
    Received,
    Send,
    SetTimer,
    TellFacts,
    TimerFired,
)
from peer.core.times import MonoNs
from rendezvous.protocol.messages import PROTOCOL_VERSION, Reason, Role
from rendezvous.protocol.times import NS_PER_S

SELECT_GRACE_NS = NS_PER_S
"""Beside two round trips: one SYN or data retransmission (RFC 6298 §2.1)."""


class State(Enum):
    """Where one connection stands."""

    GREETING = auto()
    """Hello sent."""
    PROVING = auto()
    """Hello received, proof sent."""
    PROVEN = auto()
    """The far end has proven itself."""
    SELECTING = auto()
    """SELECT sent, no answer yet (initiator only)."""
    KEPT = auto()
    """Both ends agreed on this one."""
    SPENT = auto()
    """Dropped."""


TRANSITIONS: dict[tuple[State, type[Greeting]], State] = {
    (State.GREETING, Hello): State.PROVING,
    (State.PROVING, Proof): State.PROVEN,
    (State.PROVEN, Select): State.KEPT,  # the responder's way
    (State.SELECTING, Selected): State.KEPT,  # the initiator's way
}
"""Any other greeting in a state spends the connection: the far end is not ours."""


@dataclass(slots=True)
class _Connection:
    nonce: bytes
    opened_at: MonoNs
    role: Role | None
    """This end's; None: not found yet."""
    state: State = State.GREETING
    far_nonce: bytes = b""
    round_trip_ns: int = 0
    selected_at: MonoNs | None = None

    def saw_answer(self, now: MonoNs) -> None:
        """Take the time from SELECT to SELECTED for a round trip, if it is the shorter one."""
        if self.selected_at is not None:
            self.round_trip_ns = min(self.round_trip_ns, now - self.selected_at)


@dataclass(slots=True)
class Race:
    """The connections of one attempt.

    Attributes:
        kept: the winner's pair, once there is one.
        misses: how often a connection was dropped, by reason.
        gives_up_at: without a role, set by the first wrong proof: who has proven nothing by then is
            not waited for.
    """

    role: Role | None
    """This end's; None: the greetings find it."""
    session: bytes
    attempt: int
    key: bytes = field(repr=False)
    kept: int | None = None
    misses: dict[Reason, int] = field(default_factory=dict)
    gives_up_at: MonoNs | None = None
    _connections: dict[int, _Connection] = field(default_factory=dict)
    _selecting: int | None = None

    def handle(self, event: Event, *, now: MonoNs) -> Sequence[Command]:
        """Take one past fact, return the orders that follow from it.

        Args:
            event: what happened.
            now: when.

        Returns:
            Orders, to be carried out in this order.
        """
        if self.kept is not None:
            return []
        match event:
            case Opened(pair, nonce):
                self._connections[pair] = _Connection(nonce, now, self.role)
                return [Send(pair, Hello(self._place(pair), nonce))]
            case Received(pair, message):
                return self._received(pair, message, now)
            case Broken(pair):
                return self._spend(pair, Reason.NOT_SELECTED, now)
            case TimerFired():
                self._selecting = None
                return self._select_next(now)

    @property
    def alive(self) -> int:
        """How many connections may still win."""
        return sum(c.state is not State.SPENT for c in self._connections.values())

    @property
    def unproven(self) -> Mapping[Reason, int]:
        """What became of the opened connections when time is over, by reason.

        Those that are still open count as not selected: their far ends had time enough to speak.
        """
        silent = self.misses.get(Reason.NOT_SELECTED, 0) + self.alive
        return self.misses | ({Reason.NOT_SELECTED: silent} if silent else {})

    def round_trip_ns(self, pair: int) -> int:
        """Return the least round trip that the greetings of a proven pair show.

        From our hello to the far proof, and from SELECT to SELECTED, lies at least one.  The
        kernel's own minimum is of no use: in a simultaneous open the time of the SYN·ACK is
        taken anew, and what Linux measures first is half a round trip.

        Args:
            pair: one that was proven.

        Returns:
            Nanoseconds.
        """
        return self._connections[pair].round_trip_ns

    def role_of(self, pair: int) -> Role:
        """Return this end's role on a proven pair.

        Args:
            pair: one that was proven.

        Returns:
            As appointed, or as the greeting found it.
        """
        role = self._connections[pair].role
        assert role is not None
        return role

    def _place(self, pair: int) -> Place:
        return Place(self.session, self.attempt, pair)

    def _received(self, pair: int, message: Greeting, now: MonoNs) -> Sequence[Command]:
        connection = self._connections[pair]
        following = TRANSITIONS.get((connection.state, type(message)))
        if following is None:
            return self._spend(pair, Reason.NOT_SELECTED, now)
        match message:
            case Hello():
                commands = self._hello(pair, connection, message)
            case Proof(text):
                commands = self._proof(pair, connection, text, now)
            case Select() if connection.role == "responder":
                self.kept = pair
                commands = [TellFacts(pair, Selected), Keep(pair, message.facts)]
            case Selected() if connection.role == "initiator":
                self.kept = pair
                connection.saw_answer(now)
                commands = [Keep(pair, message.facts)]
            case _:
                commands = None
        if commands is None:
            # Only a wrong proof is a wrong code: who cannot even greet is a stranger, and the
            # partner may still be met at another attempt.
            wrong_code = isinstance(message, Proof)
            reason = Reason.AUTHENTICATION if wrong_code else Reason.NOT_SELECTED
            return self._spend(pair, reason, now)
        connection.state = following
        return [*commands, *self._select_next(now)]

    def _hello(self, pair: int, connection: _Connection, hello: Hello) -> list[Command] | None:
        if hello.version != PROTOCOL_VERSION or hello.place != self._place(pair):
            return None
        if hello.nonce == connection.nonce:
            return None  # our own words: an echo, or this very peer behind a NAT that hairpins
        role = connection.role or proof.role_of(connection.nonce, hello.nonce)
        if role is None:
            return None
        connection.role, connection.far_nonce = role, hello.nonce
        text = proof.make_proof(self.key, role, hello.place, connection.nonce, hello.nonce)
        return [Send(pair, Proof(text))]

    def _proof(
        self, pair: int, connection: _Connection, text: bytes, now: MonoNs
    ) -> list[Command] | None:
        place = self._place(pair)
        nonces = (connection.nonce, connection.far_nonce)
        # From our hello to the far proof is at least one round trip.
        connection.round_trip_ns = now - connection.opened_at
        if proof.holds(text, self.key, self.role_of(pair), place, *nonces):
            return []
        # With a role the partner has proven before that it has the key: this one is a stranger.
        if self.role is None and self.gives_up_at is None:
            self.gives_up_at = MonoNs(now + _patience_ns(connection))
        return None

    def _select_next(self, now: MonoNs) -> list[Command]:
        if self._selecting is not None or self.kept is not None:
            return []
        for pair, connection in self._connections.items():
            if connection.state is State.PROVEN and connection.role == "initiator":
                connection.state, connection.selected_at = State.SELECTING, now
                self._selecting = pair
                return [TellFacts(pair, Select), SetTimer(MonoNs(now + _patience_ns(connection)))]
        return []

    def _spend(self, pair: int, reason: Reason, now: MonoNs) -> list[Command]:
        connection = self._connections[pair]
        if connection.state is State.SPENT:
            return []
        connection.state = State.SPENT
        self.misses[reason] = self.misses.get(reason, 0) + 1
        if self._selecting == pair:
            self._selecting = None
        return [Drop(pair, reason), *self._select_next(now)]


def _patience_ns(connection: _Connection) -> int:
    return 2 * connection.round_trip_ns + SELECT_GRACE_NS

"""Two races over fake connections: everything that a network may do to them, and nothing else.

A connection delivers what was said in order, or breaks and delivers nothing more.  Who closes is
heard by the other end after everything said before.  A connection may also lead to an impostor,
who knows every word ever said, on this and on other connections, but not the code.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from peer.core.greeting import Facts, Greeting, Hello, Proof, Select, Selected
from peer.core.proof import Place
from peer.core.race import Race
from peer.core.race_events import (
    Broken,
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
from rendezvous.protocol.messages import Role

SESSION, KEY = b"s" * 16, b"k" * 32
ROLES: tuple[Role, Role] = ("initiator", "responder")
FACTS = Facts(1, 1, 0, 0, 0, 0)
Step = Callable[[], None]


@dataclass
class Wire:
    """One direction of a connection."""

    words: deque[Greeting] = field(default_factory=deque)
    ending: bool = False
    """After the words the reader hears the end."""


@dataclass
class End:
    """A peer: its machine and its ends of the connections."""

    race: Race
    open: set[int] = field(default_factory=set)
    ever_open: set[int] = field(default_factory=set)
    kept: int | None = None
    timer: bool = False


class Duel:
    """Two machines, and what is on its way between them."""

    def __init__(
        self,
        rng: random.Random,
        pairs: int,
        *,
        impostors: dict[int, Role] | None = None,
        breaks: float = 0.0,
        keys: tuple[bytes, bytes] = (KEY, KEY),
        appointed: bool = True,
        heard_before: tuple[Greeting, ...] = (),
    ) -> None:
        """Set the scene.

        Args:
            rng: decides every order.
            pairs: how many connections there may be.
            impostors: which connections lead to one, and whom it faces.
            breaks: the share of steps at which some connection breaks.
            keys: of the initiator and of the responder.
            appointed: whether the roles are; else the tie-breaks of the nonces find them, and
                the names of the ends mean nothing.
            heard_before: what the impostors know from elsewhere.
        """
        self.rng, self.pairs, self.breaks = rng, pairs, breaks
        self.impostors = impostors or {}
        self.now = 0
        self.ends: dict[Role, End] = {
            role: End(Race(role if appointed else None, SESSION, 1, key))
            for role, key in zip(ROLES, keys, strict=True)
        }
        self.tie_breaks = {role: b"" if appointed else rng.randbytes(16) for role in ROLES}
        self.wires = {(role, pair): Wire() for role in ROLES for pair in range(pairs)}
        """By who reads."""
        self.broken: set[int] = set()
        self.heard: list[Greeting] = list(heard_before)
        """Everything ever said."""
        self.lies: dict[int, int] = {}

    def run(self, most: int = 400) -> None:
        """Do steps in random order until none is left."""
        for _ in range(most):
            self.now += self.rng.randrange(10**9)
            if self.rng.random() < self.breaks:
                self._break(self.rng.randrange(self.pairs))
            steps = self._steps()
            if not steps:
                return
            self.rng.choice(steps)()

    def role(self, name: Role) -> Role:
        """Return the role that an end plays: its name's, or the one its tie-break wins."""
        if not self.tie_breaks[name]:
            return name
        return (
            "initiator" if self.tie_breaks[name] == max(self.tie_breaks.values()) else "responder"
        )

    def _steps(self) -> list[Step]:
        steps: list[Step] = []
        for role, end in self.ends.items():
            for pair in range(self.pairs):
                wire = self.wires[role, pair]
                faces = self.impostors.get(pair)
                if pair not in end.ever_open and faces in (None, role):
                    steps.append(partial(self._open, role, pair))
                elif pair in end.open and (wire.words or wire.ending):
                    steps.append(partial(self._hear, role, pair))
                elif pair in end.open and faces is not None:
                    steps.append(partial(self._lie, role, pair))
            if end.timer:
                steps.append(partial(self._ring, end, role))
        return steps

    def _open(self, role: Role, pair: int) -> None:
        self.ends[role].ever_open.add(pair)
        if self.ends[role].kept is None:
            self.ends[role].open.add(pair)
            tie_break = self.tie_breaks[role]
            nonce = tie_break + self.rng.randbytes(32 - len(tie_break))
            self._tell(role, Opened(pair, nonce))
        else:
            self._close(role, pair)

    def _hear(self, role: Role, pair: int) -> None:
        wire = self.wires[role, pair]
        if wire.words:
            self._tell(role, Received(pair, wire.words.popleft()))
        else:
            self.ends[role].open.discard(pair)
            self._tell(role, Broken(pair))

    def _lie(self, role: Role, pair: int) -> None:
        self.lies[pair] = self.lies.get(pair, -1) + 1
        own = Hello(Place(SESSION, 1, pair), self.rng.randbytes(32))
        made_up: list[Greeting] = [own, Proof(self.rng.randbytes(32)), Select(FACTS)]
        words: list[Greeting] = [*self.heard, *made_up, Selected(FACTS)]
        if self.rng.random() < 0.9:  # mostly what is due
            words = [word for word in words if _is_due(word, self.lies[pair], pair)]
        # None: what is no greeting at all.
        word = self.rng.choice([*words, None] if self.rng.random() < 0.1 else words)
        self._tell(role, Broken(pair) if word is None else Received(pair, word))

    def _ring(self, end: End, role: Role) -> None:
        end.timer = False
        self._tell(role, TimerFired())

    def _break(self, pair: int) -> None:
        self.broken.add(pair)
        for role in ROLES:
            wire = self.wires[role, pair]
            # What was on its way arrives up to somewhere.
            kept = self.rng.randint(0, len(wire.words))
            wire.words = deque(list(wire.words)[:kept])
            wire.ending = True

    def _close(self, role: Role, pair: int) -> None:
        self.ends[role].open.discard(pair)
        self.wires[_other(role), pair].ending = True

    def _tell(self, role: Role, event: Event) -> None:
        end = self.ends[role]
        for command in end.race.handle(event, now=MonoNs(self.now)):
            match command:
                case Send(pair, message):
                    self._say(role, pair, message)
                case TellFacts(pair, kind):
                    self._say(role, pair, kind(FACTS))
                case Drop(pair):
                    self._close(role, pair)
                case SetTimer():
                    end.timer = True
                case Keep(pair):
                    assert end.kept is None
                    end.kept, end.timer = pair, False
                    for other in end.open - {pair}:
                        self._close(role, other)

    def _say(self, role: Role, pair: int, message: Greeting) -> None:
        self.heard.append(message)
        wire = self.wires[_other(role), pair]
        if not wire.ending:
            wire.words.append(message)


def _other(role: Role) -> Role:
    return "responder" if role == "initiator" else "initiator"


def _is_due(word: Greeting, count: int, pair: int) -> bool:
    if isinstance(word, Hello):
        return count == 0 and word.place == Place(SESSION, 1, pair)
    return count == 1 if isinstance(word, Proof) else count > 1

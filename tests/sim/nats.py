"""Two peers behind two NATs, as events in time: what becomes of every SYN.

The model of each NAT, as measured with Linux's conntrack:

* a SYN that leaves opens a hole for its pair;
* a SYN that comes meets a hole, and the two have crossed; or it meets none and is refused;
* a RST that comes back closes the hole again, an ICMP error does not; a NAT that drops is silent.

The link delivers in order, one way in ``delay_ns``.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

from peer.core.times import MonoNs

Answer = Literal["rst", "icmp", "drop"]
Action = Callable[[], None]


class Rule(Protocol):
    """Decides about re-firing; ``peer.core.volley.VolleyRule`` is one."""

    shots: int

    @property
    def spent(self) -> bool: ...
    def fired(self, pair: int) -> None: ...
    def refused(self, pair: int, now: MonoNs, draw: float) -> bool: ...
    def next_due(self) -> MonoNs | None: ...
    def take_due(self, now: MonoNs) -> list[int]: ...


@dataclass
class Side:
    """A peer and the NAT in front of it."""

    rule: Rule
    starts_at: int
    holes: set[int] = field(default_factory=set)


class Crossing:
    """One volley of two peers."""

    def __init__(
        self,
        rules: tuple[Rule, Rule],
        *,
        delay_ns: int,
        skew_ns: int,
        answer: Answer,
        rng: random.Random,
        pairs: int = 1,
        react_ns: tuple[int, int] = (50_000, 150_000),
    ) -> None:
        """Set the scene.

        Args:
            rules: of the two peers.
            delay_ns: from one NAT to the other.
            skew_ns: how much later the second peer starts.
            answer: of both NATs to a SYN that nobody expects.
            rng: of the hosts' reactions and the rules' draws.
            pairs: port pairs.
            react_ns: from a refusal to the next shot, least and most.
        """
        self.sides = (Side(rules[0], 0), Side(rules[1], skew_ns))
        self.delay_ns, self.answer, self.rng, self.react_ns = delay_ns, answer, rng, react_ns
        self.done_at: int | None = None
        self.now = 0
        self._events: list[tuple[int, int, Action]] = []
        self._count = itertools.count()
        for here, side in enumerate(self.sides):
            for pair in range(pairs):
                # Four connects take some 10 µs each.
                self._at(side.starts_at + 10_000 * pair, partial(self._fire, here, pair))

    def run(self, until_ns: int) -> int | None:
        """Let time pass; returns when both peers had the connection, None: not until then."""
        while self._events and self.done_at is None and self._events[0][0] <= until_ns:
            self.now, _, action = heapq.heappop(self._events)
            action()
        return self.done_at

    def _at(self, when: int, action: Action) -> None:
        heapq.heappush(self._events, (when, next(self._count), action))

    def _fire(self, here: int, pair: int) -> None:
        side = self.sides[here]
        if side.rule.spent:
            return
        side.rule.fired(pair)
        side.holes.add(pair)
        self._at(self.now + self.delay_ns, lambda: self._arrive(1 - here, pair))

    def _arrive(self, there: int, pair: int) -> None:
        if pair in self.sides[there].holes:
            # The answer takes the same way back.
            self.done_at = self.now + self.delay_ns
        elif self.answer != "drop":
            self._at(self.now + self.delay_ns, lambda: self._refused(1 - there, pair))

    def _refused(self, here: int, pair: int) -> None:
        side = self.sides[here]
        if self.answer == "rst":
            side.holes.discard(pair)
        if side.rule.refused(pair, MonoNs(self.now), self.rng.random()):
            self._at(self.now + self.rng.randint(*self.react_ns), lambda: self._fire(here, pair))
        elif (due := side.rule.next_due()) is not None:
            self._at(max(self.now, due), lambda: self._fire_due(here))

    def _fire_due(self, here: int) -> None:
        for pair in self.sides[here].rule.take_due(MonoNs(self.now)):
            self._fire(here, pair)

"""A session played step by step: both peers are awaited, stopped and fed one by one.

What a peer does is seen from its ``--json`` lines, or from the packets; nothing is timed.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from lab.bench.stage import TIME_WAIT, inhabitants, tcp_sockets
from lab.scenario import Event, PeerRun, Scenario
from lab.seat import Seat
from lab.topology import SIDES, Side

PATIENCE_S = 60.0
"""Far beyond every limit of the peers' own: ends a test that would hang."""
_GONE_WITHIN_S = 30.0
"""A FIN and its answer take a round trip, or a few retransmissions."""
_LOOK_EVERY_S = 0.005


@dataclass(slots=True)
class Play:
    """A session under way; its inputs stay open until :meth:`end`."""

    scenario: Scenario
    seats: dict[Side, Seat]
    arguments: Mapping[Side, Sequence[str]]
    environment: Mapping[Side, Mapping[str, str]]
    code: str = ""
    deadline: float = field(default_factory=lambda: time.monotonic() + PATIENCE_S)

    def listen(self) -> None:
        """Start peer a and wait until it holds its seat."""
        self._start("a", "listen")
        self.code = str(self.until("a", "code")["code"])
        self.until("a", "waiting")

    def join(self) -> None:
        """Start peer b."""
        self._start("b", "connect", self.code)

    def _start(self, side: Side, *command: str) -> None:
        words = [*command, *self.scenario.words, *self.arguments.get(side, ())]
        self.seats[side].start(words, self.environment.get(side, {}), end_input=False)

    def until(self, side: Side, event: str) -> Event:
        """Read until a peer has told of something."""
        found = self.seats[side].await_event(event, self.deadline)
        assert found is not None, f"{side} never said {event!r}: {self.seats[side].end(0.0)}"
        return found

    def until_true(self, what: Callable[[], bool]) -> None:
        """Look again and again until something holds."""
        while not what():
            assert time.monotonic() < self.deadline, "it never came"
            time.sleep(_LOOK_EVERY_S)

    def signal(self, side: Side, number: int) -> None:
        """Send a peer a signal."""
        self.seats[side].send_signal(number)

    def end(self, *sides: Side) -> dict[Side, PeerRun]:
        """End the peers' inputs, and wait for their own ends."""
        for side in sides or SIDES:
            self.seats[side].end_input()
        return {side: self.seats[side].end(self.deadline) for side in sides or SIDES}


@contextlib.contextmanager
def play(
    scenario: Scenario,
    *,
    arguments: Mapping[Side, Sequence[str]] | None = None,
    environment: Mapping[Side, Mapping[str, str]] | None = None,
) -> Iterator[Play]:
    """Set a session up; nobody is started yet. What still runs at the end is killed.

    Args:
        scenario: where.
        arguments: added to each peer's command line.
        environment: added to each peer's.
    """
    scenario.forget()
    with ExitStack() as stack:
        seats = {side: scenario.seat(side, b"", stack) for side in SIDES}
        ready = Play(scenario, seats, arguments or {}, environment or {})
        try:
            yield ready
        finally:
            for seat in seats.values():
                seat.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def nothing_left(scenario: Scenario) -> Iterator[None]:
    """Check that what runs inside leaves no process and no socket at the peers."""
    spaces = [scenario.world.space(f"peer-{side}") for side in SIDES]
    before = [inhabitants(space) for space in spaces]

    def sockets() -> list[tuple[int, int]]:
        return [
            (state, port)
            for space in spaces
            for state, port in tcp_sockets(space)
            if state != TIME_WAIT
        ]

    yield
    assert [inhabitants(space) for space in spaces] == before
    deadline = time.monotonic() + _GONE_WITHIN_S
    while sockets() and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    assert sockets() == []


def failure(peer: PeerRun) -> tuple[int, str, str]:
    """Return a failed peer's exit code, its verdict, and what it said to its user."""
    failed = peer.event("failed")
    assert failed is not None, peer
    assert failed["exit"] == peer.exit_code
    assert peer.noise == ""
    return peer.exit_code, failed["verdict"], failed["message"]

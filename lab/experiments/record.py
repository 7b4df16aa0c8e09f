"""Recording a scene: captures of all its rooms, what was done, what the kernel's tables said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Self

from lab.capture import Capture
from lab.diagram.ladder import Ladder, Lane, Mark, Note, annotate, build
from lab.experiments import kernel
from lab.experiments.calls import PATIENCE_S
from lab.experiments.report import Listing, Scene
from lab.experiments.room import Room
from lab.packets import Packet

LOOPBACK = "lo"
_QUIET_S = 0.1
"""So long after the last packet a scene is over: twice the longest delay of an ACK here."""
_POLL_S = 0.005


class Recorder:
    """Records one scene, from its beginning to :meth:`scene`.

    Args:
        title: of the scene.
        rooms: where it takes place.
        interface: of each room, whose packets are captured.
    """

    def __init__(self, title: str, rooms: Mapping[str, Room], interface: str = LOOPBACK) -> None:
        self._title, self._rooms = title, rooms
        self._steps: list[str] = []
        self._notes: list[Note] = []
        self._listings: list[Listing] = []
        self._stack = ExitStack()
        try:
            self._captures = {
                name: self._stack.enter_context(Capture(room, interface))
                for name, room in rooms.items()
            }
        except BaseException:
            self._stack.close()
            raise

    def did(self, step: str) -> None:
        """Write down what was done, and what came of it."""
        self._steps.append(step)

    def note(self, lane: int, text: str, *, failed: bool = False) -> None:
        """Write beside a lane what its program did or was told, now."""
        self._notes.append(Note(lane, time.time_ns(), text, Mark.FAILED if failed else Mark.SAID))

    def look(self, when: str) -> list[kernel.Entry]:
        """Write down the kernel's tables of sockets, and return them."""
        entries = [entry for room in self._rooms.values() for entry in kernel.sockets(room)]
        self._listings.append(Listing(when, tuple(entries), kernel.owners(entries)))
        return entries

    def packets(self, room: str) -> list[Packet]:
        """Return what a room's capture has so far."""
        return self._captures[room].packets()

    def drain(self) -> None:
        """Empty the kernel's buffers of captured packets, lest they overflow."""
        for capture in self._captures.values():
            capture.packets()

    def wait_until(self, true: Callable[[], bool]) -> bool:
        """Wait, not for ever, until something is true; return whether it is."""
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def settle(self) -> None:
        """Wait until no packet has come for a while."""
        count, since = -1, time.monotonic()
        while time.monotonic() - since < _QUIET_S:
            now = sum(len(capture.packets()) for capture in self._captures.values())
            if now != count:
                count, since = now, time.monotonic()
            time.sleep(_POLL_S)

    def scene(
        self,
        lanes: Sequence[Lane],
        *,
        quotes: Iterable[str] = (),
        shorten: Callable[[Ladder], Ladder] | None = None,
        pictured: bool = True,
    ) -> Scene:
        """End the recording.

        Args:
            lanes: the life lines of its diagram.
            quotes: messages to show where a packet carries one.
            shorten: folds what need not be drawn.
            pictured: whether the experiment's picture shows it.
        """
        seen = {name: capture.packets() for name, capture in self._captures.items()}
        ladder = annotate(build(seen, lanes, quotes=quotes), self._notes)
        packets = [p for found in seen.values() for p in found if p.direction == "out"]
        return Scene(
            title=self._title,
            steps=tuple(self._steps),
            ladder=ladder if shorten is None else shorten(ladder),
            listings=tuple(self._listings),
            packets=tuple(sorted(packets, key=lambda packet: packet.t_ns)),
            lost=sum(capture.lost for capture in self._captures.values()),
            pictured=pictured,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

"""``midair meet``: a connection by appointment, without a server, and its pipe."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO, cast

from peer.apps.connected import run_connected
from peer.apps.pipe import standard_pipe
from peer.core.countdown import clock_face
from peer.io.clock import SystemClock
from peer.io.meet import Meet
from peer.io.meet_clock import MeetClock
from peer.settings import MeetSettings
from peer.tell import Tellers

_ERASE_REST = "\x1b[K"
"""ECMA-48: erase to the end of the line."""


@dataclass(slots=True)
class Countdown:
    """Seconds to go, for a person: one line that is written over, or a few for a log."""

    out: TextIO | None
    in_place: bool
    _shown: bool = False

    def __call__(self, left_s: int) -> None:
        """Say how long there is to go.

        Args:
            left_s: seconds; 0: the countdown is over.
        """
        if self.out is None:
            return
        # Somebody who closed standard error still wants the connection.
        with suppress(OSError, ValueError):
            if left_s:
                # What is told meanwhile begins at the line's start, and is longer.
                end = f"{_ERASE_REST}\r" if self.in_place else "\n"
                self.out.write(f"midair: {clock_face(left_s)} to go{end}")
            elif self.in_place and self._shown:
                self.out.write(_ERASE_REST)
            self._shown = left_s > 0
            self.out.flush()


def run_meet(
    settings: MeetSettings, *, as_json: bool, trace_path: str | None, verbosity: int
) -> int:
    """Meet the partner, and join standard input and output to its.

    Args:
        settings: the user's.
        as_json: report in JSON lines instead of sentences.
        trace_path: a file for every event; None: no file.
        verbosity: 0, 1 or 2.

    Returns:
        The exit code, see :mod:`peer.errors`.
    """
    err = cast("TextIO | None", sys.stderr)
    # A log's lines would be torn apart by a line that is written over.
    in_place = err is not None and err.isatty() and not verbosity

    def meet(tell: Tellers, clock: SystemClock) -> Meet:
        return Meet(
            settings,
            tell,
            MeetClock(settings.ntp, clock, tell),
            on_tick=Countdown(None if as_json else err, in_place),
            every_second=in_place,
            clock=clock,
            started_at=tell.started_at,
        )

    return run_connected(
        meet, standard_pipe, as_json=as_json, trace_path=trace_path, verbosity=verbosity
    )

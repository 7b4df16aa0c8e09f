"""The countdown as it is written: over itself on a terminal, line by line elsewhere."""

from __future__ import annotations

import io

from peer.apps.meet import Countdown


def test_countdown_when_on_a_terminal_writes_over_itself_and_leaves_nothing() -> None:
    out = io.StringIO()
    tick = Countdown(out, in_place=True)
    for left in (10, 9, 0, 0):
        tick(left)

    assert out.getvalue() == "midair: 10 s to go\x1b[K\rmidair: 9 s to go\x1b[K\r\x1b[K"


def test_countdown_when_in_a_log_writes_lines() -> None:
    out = io.StringIO()
    tick = Countdown(out, in_place=False)
    for left in (60, 5, 0):
        tick(left)

    assert out.getvalue() == "midair: 1:00 to go\nmidair: 5 s to go\n"


def test_countdown_when_nobody_reads_it_goes_on() -> None:
    out = io.StringIO()
    out.close()
    Countdown(out, in_place=True)(3)
    Countdown(None, in_place=False)(3)

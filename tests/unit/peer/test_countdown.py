"""The countdown: when a word is due, and which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.countdown import clock_face, next_tick_s

S = 10**9


def ticks(left_s: float, *, every_second: bool) -> list[int]:
    """Return every tick of a countdown that starts with so much to go."""
    told: list[int] = []
    left_ns = int(left_s * S)
    while tick := next_tick_s(left_ns, every_second=every_second):
        told.append(tick)
        left_ns = tick * S
    return told


def test_ticks_when_a_line_is_written_over_come_every_second() -> None:
    assert ticks(4.2, every_second=True) == [4, 3, 2, 1]
    assert ticks(4, every_second=True) == [3, 2, 1]
    assert ticks(0.9, every_second=True) == []


def test_ticks_when_they_go_into_a_log_are_few() -> None:
    assert ticks(42.3, every_second=False) == [30, 20, 10, 5]
    assert ticks(200, every_second=False) == [180, 120, 60, 30, 20, 10, 5]
    assert ticks(3 * 3600, every_second=False)[:4] == [7200, 7200 - 600, 6000, 5400]
    assert ticks(3, every_second=False) == []


@given(st.integers(-(10**12), 10**15), st.booleans())
def test_tick_when_asked_for_is_ahead(left_ns: int, every_second: bool) -> None:
    tick = next_tick_s(left_ns, every_second=every_second)

    assert tick == 0 or 0 < tick * S < left_ns


@pytest.mark.parametrize(
    ("left_s", "text"),
    [(0, "0 s"), (42, "42 s"), (60, "1:00"), (185, "3:05"), (3723, "1:02:03")],
)
def test_clock_face_when_read_is_what_a_clock_shows(left_s: int, text: str) -> None:
    assert clock_face(left_s) == text

"""A pair that sends faster than it may is told for how long to be silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.pace import BURST_S, Pace


def test_second_of_octets_comes_at_once_and_what_follows_is_paid_for() -> None:
    pace = Pace(1000)
    assert pace.spend(1000, 50.0) == 0
    assert pace.spend(500, 50.0) == 0.5
    assert pace.spend(500, 50.5) == 0.5


def test_silence_saves_up_one_second_and_no_more() -> None:
    pace = Pace(1000)
    pace.spend(1000, 0.0)
    assert pace.spend(1500, 3600.0) == 0.5


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=50), st.integers(100, 5000))
def test_obedient_sender_never_exceeds_rate_and_burst(pieces: list[int], rate: int) -> None:
    pace, now = Pace(rate), 7.0
    for piece in pieces:
        now += pace.spend(piece, now)
    assert sum(pieces) <= rate * (now - 7.0 + BURST_S) * (1 + 1e-9) + 1e-6
    assert now - 7.0 == pytest.approx(max(0.0, sum(pieces) / rate - BURST_S), abs=1e-6)

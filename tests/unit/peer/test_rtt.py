"""Four timestamps: the truth is inside, the least delay wins, steps are left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.clockmap import OffsetEstimate
from peer.core.rtt import Exchange, RttEstimate, from_exchanges
from peer.core.times import LocalNs, MonoNs, UtcNs

MS = 1_000_000
delays = st.integers(min_value=0, max_value=10**9)
offsets = st.integers(min_value=-(2**50), max_value=2**50)


def exchange(
    offset: int, *, out: int, back: int, hold: int = 0, at: int = 0, grain: int = 1
) -> Exchange:
    """Simulate one exchange with a server that reads its clock in steps of ``grain``."""
    t1 = 10**18 + at
    t2 = (t1 + out + offset + grain // 2) // grain * grain
    t3 = (t1 + out + hold + offset + grain // 2) // grain * grain
    t4 = t1 + out + hold + back
    return Exchange(LocalNs(t1), UtcNs(t2), UtcNs(t3), LocalNs(t4), MonoNs(t4 - 10**18))


def test_exchange_when_the_path_is_symmetric_gives_the_offset() -> None:
    answered = exchange(3_700 * MS, out=10 * MS, back=10 * MS, hold=2 * MS)
    assert answered.offset_ns == 3_700 * MS
    assert answered.delay_ns == 20 * MS
    assert answered.error_ns == 10 * MS + 330  # and 15 ppm of 22 ms


def test_exchange_when_all_delay_is_on_one_way_is_wrong_by_half_of_it() -> None:
    assert exchange(0, out=20 * MS, back=0).offset_ns == 10 * MS
    assert exchange(0, out=0, back=20 * MS).offset_ns == -10 * MS


@given(offsets, delays, delays, delays)
def test_offset_of_any_exchange_is_wrong_by_at_most_its_error(
    offset: int, out: int, back: int, hold: int
) -> None:
    answered = exchange(offset, out=out, back=back, hold=hold)
    assert abs(answered.offset_ns - offset) <= answered.error_ns


@given(offsets, st.lists(st.tuples(delays, delays, delays, delays), min_size=1, max_size=6))
def test_from_exchanges_when_timestamps_are_microseconds_contains_the_truth(
    offset: int, paths: list[tuple[int, int, int, int]]
) -> None:
    answered = [
        exchange(offset, out=out + 1_000, back=back + 1_000, hold=hold, at=at, grain=1_000)
        for out, back, hold, at in paths
    ]
    estimate, rtt = from_exchanges(answered)
    assert abs(estimate.offset_ns - offset) <= estimate.bound_ns
    assert rtt.rtt_ns == min(each.delay_ns for each in answered)


def test_from_exchanges_takes_the_least_delay() -> None:
    estimate, rtt = from_exchanges(
        [
            exchange(50, out=90 * MS, back=10 * MS, at=0),
            exchange(50, out=10 * MS, back=10 * MS, at=200 * MS),
            exchange(50, out=10 * MS, back=50 * MS, at=300 * MS),
        ]
    )
    assert estimate == OffsetEstimate(
        offset_ns=50, bound_ns=10 * MS + 300 + 1_000, measured_at=MonoNs(220 * MS)
    )
    assert rtt == RttEstimate(rtt_ns=20 * MS, jitter_ns=26_666_667)  # of 100, 20 and 60 ms


def test_from_exchanges_when_one_is_old_prefers_a_fresh_one_of_about_the_same_delay() -> None:
    old = exchange(0, out=1_000_000, back=1_000_000, at=0)
    fresh = exchange(0, out=1_000_010, back=1_000_010, at=10**9)
    assert from_exchanges([old, fresh])[0].measured_at == fresh.at


def test_from_exchanges_when_a_clock_was_stepped_inside_leaves_it_out() -> None:
    stepped = exchange(0, out=MS, back=MS, hold=5 * MS)
    stepped = Exchange(
        stepped.t1, stepped.t2, UtcNs(stepped.t3 + 3_600 * 10**9), stepped.t4, stepped.at
    )
    good = exchange(7, out=2 * MS, back=2 * MS)
    assert from_exchanges([stepped, good])[0].offset_ns == 7
    with pytest.raises(ValueError, match="stepped"):
        from_exchanges([stepped])


def test_from_exchanges_when_there_is_one_assumes_jitter_of_half_the_round_trip() -> None:
    _, rtt = from_exchanges([exchange(0, out=MS, back=2 * MS)])
    assert rtt == RttEstimate(rtt_ns=3 * MS, jitter_ns=1_500_000)


def test_from_exchanges_when_there_is_none_raises() -> None:
    with pytest.raises(ValueError, match="no usable exchange"):
        from_exchanges([])

"""The local clock, the corrected clock, and what a step of the wall clock does: nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peer.core.clockmap import ClockMap, OffsetEstimate, drift_ns
from peer.core.times import LocalNs, MonoNs, UtcNs
from peer.io.clock import Clock, SystemClock, read_clockmap
from tests.fakes.clock import FakeClock

HOUR_NS = 3_600 * 10**9

instants = st.integers(min_value=-(2**62), max_value=2**62)
estimates = st.builds(
    OffsetEstimate,
    offset_ns=instants,
    bound_ns=st.integers(min_value=0, max_value=2**40),
    measured_at=instants.map(MonoNs),
)
maps = st.builds(ClockMap, instants.map(MonoNs), instants.map(LocalNs))


def test_local_at_the_anchor_is_the_wall_clock() -> None:
    clockmap = ClockMap(MonoNs(100), LocalNs(1_000_000))
    assert clockmap.local(MonoNs(100)) == 1_000_000
    assert clockmap.local(MonoNs(350)) == 1_000_250


def test_utc_when_local_clock_is_behind_adds_the_offset() -> None:
    clockmap = ClockMap(MonoNs(100), LocalNs(1_000_000))
    offset = OffsetEstimate(offset_ns=5_000, bound_ns=1, measured_at=MonoNs(100))
    assert clockmap.utc(MonoNs(150), offset) == 1_005_050
    assert clockmap.mono(UtcNs(1_005_050), offset) == 150


@given(maps, estimates, instants.map(MonoNs))
def test_mono_undoes_utc_exactly(clockmap: ClockMap, offset: OffsetEstimate, mono: MonoNs) -> None:
    assert clockmap.mono(clockmap.utc(mono, offset), offset) == mono


@given(estimates, st.integers(min_value=-(2**50), max_value=2**50), instants, instants.map(MonoNs))
def test_mono_of_an_instant_does_not_depend_on_the_anchor(
    offset: OffsetEstimate, wrong_by: int, wall: int, instant: MonoNs
) -> None:
    """A wall clock that is wrong by an hour measures an offset that is an hour less."""
    right = ClockMap(MonoNs(7), LocalNs(wall))
    wrong = ClockMap(MonoNs(7), LocalNs(wall + wrong_by))
    measured = OffsetEstimate(offset.offset_ns - wrong_by, offset.bound_ns, offset.measured_at)
    assert right.mono(UtcNs(instant), offset) == wrong.mono(UtcNs(instant), measured)


def test_clockmap_when_wall_clock_is_stepped_stays() -> None:
    clock = FakeClock()
    clockmap = read_clockmap(clock)
    offset = OffsetEstimate(offset_ns=-41 * 10**9, bound_ns=10**6, measured_at=clock.now())
    instant = UtcNs(clockmap.utc(clock.now(), offset) + 300_000_000)
    before = clockmap.mono(instant, offset)
    clock.step_wall(HOUR_NS)
    assert clockmap.mono(instant, offset) == before == clock.now() + 300_000_000
    clock.advance(300_000_000)
    assert clockmap.utc(clock.now(), offset) == instant


def test_bound_at_grows_by_15_ppm_both_ways() -> None:
    estimate = OffsetEstimate(offset_ns=0, bound_ns=1_000, measured_at=MonoNs(5 * 10**9))
    assert estimate.bound_at(MonoNs(5 * 10**9)) == 1_000
    assert estimate.bound_at(MonoNs(15 * 10**9)) == 1_000 + 150_000
    assert estimate.bound_at(MonoNs(4 * 10**9)) == 1_000 + 15_000


def test_drift_of_a_short_time_rounds_up() -> None:
    assert drift_ns(0) == 0
    assert drift_ns(1) == 1
    assert drift_ns(-1_000_000) == 15


async def test_fake_clock_when_waited_for_jumps() -> None:
    clock: Clock = FakeClock(mono_ns=10, wall_ns=1_000)
    await clock.sleep_until(MonoNs(35))
    await clock.sleep_until(MonoNs(20))
    assert (clock.now(), clock.utc_pair()) == (35, (35, 1_025))


async def test_system_clock_when_the_instant_is_past_returns() -> None:
    clock: Clock = SystemClock()
    start = clock.now()
    await clock.sleep_until(MonoNs(start - HOUR_NS))
    mono, local = clock.utc_pair()
    assert start <= mono <= clock.now()
    assert local > 1_600_000_000 * 10**9

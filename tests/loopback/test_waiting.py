"""Waiting for a meeting: the clock is asked again, and a host may have slept meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from peer.core.clockmap import OffsetEstimate
from peer.core.trace import TraceEvent
from peer.errors import NoPathError
from peer.io import meet
from peer.io.clock import Clock, SystemClock
from peer.io.meet import Meet
from peer.io.meet_clock import MeetClock
from peer.settings import MeetSettings
from rendezvous.protocol.messages import Reason
from rendezvous.protocol.times import NS_PER_S, us_from_ns
from tests.fakes.clock import FakeClock
from tests.loopback.chrony import chronyd
from tests.loopback.ports import free_ports

START_S = 1_700_000_000


@dataclass(slots=True)
class Sleeper(MeetClock):
    """The clock of a host that sleeps: UTC goes on while its own clocks stand still."""

    sleeps_s: int = 0
    measured: int = 0

    async def measure(self) -> None:
        """Know the time exactly."""
        self.estimate = OffsetEstimate(0, 0, self.clock.now())

    async def measure_again(self, before: object) -> None:
        """Find out that it is later than it seemed."""
        self.measured += 1
        self.estimate = OffsetEstimate(self.sleeps_s * NS_PER_S, 0, self.clock.now())


def settings(at_s: float, **changes: object) -> MeetSettings:
    port = free_ports(2)
    values = {"at_us": int(at_s * 10**6), "port": port, "remote_port": port + 1, **changes}
    return MeetSettings("127.0.0.1", b"", **values)  # type: ignore[arg-type]


async def failure(
    own: MeetSettings, clock: Clock, time: MeetClock, on_tick: Callable[[int], None]
) -> NoPathError:
    with pytest.raises(NoPathError) as raised:
        await Meet(own, time.emit, time, on_tick, every_second=False, clock=clock).run()
    return raised.value


async def test_meeting_when_the_host_slept_through_it_is_over() -> None:
    clock = FakeClock(wall_ns=START_S * NS_PER_S)
    time = Sleeper((), clock, lambda _: None, sleeps_s=120)
    ticks: list[int] = []

    error = await failure(settings(START_S + 100), clock, time, ticks.append)

    assert (error.reason, error.exit_code) == (Reason.APPOINTMENT_LATE, 5)
    assert "asleep" in error.hint
    assert time.measured == 1
    # 96 s were waited, to 4 s before the instant as it seemed.
    assert ticks == [60, 30, 20, 10, 5, 0]


async def test_meeting_when_it_is_far_away_has_the_clock_measured_again_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meet, "FRESH_NS", NS_PER_S)
    events: list[TraceEvent] = []
    clock = SystemClock()
    with chronyd(tmp_path / "chrony") as ntp:
        time = MeetClock((ntp,), clock, events.append)
        now_s = us_from_ns(clock.utc_pair()[1]) / 10**6
        own = settings(now_s + 5, timeout_ns=2 * NS_PER_S)
        error = await failure(own, clock, time, lambda _: None)

    assert error.reason is Reason.TIMEOUT
    assert [event.event for event in events] == ["warning", "clock", "meeting", "clock"]

"""The server's clock: the wall clock is read once."""

from __future__ import annotations

import pytest

from rendezvous.clock import SystemClock


def test_step_of_the_wall_clock_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    mono_ns, wall_ns = 5_000_000_000, 1_700_000_000_000_000_000
    monkeypatch.setattr("rendezvous.clock.time.monotonic_ns", lambda: mono_ns)
    monkeypatch.setattr("rendezvous.clock.time.time_ns", lambda: wall_ns)
    sut = SystemClock()
    assert sut.now_us() == 1_700_000_000_000_000
    wall_ns += 3_600_000_000_000
    mono_ns += 1_500_000
    assert sut.now_us() == 1_700_000_000_001_500

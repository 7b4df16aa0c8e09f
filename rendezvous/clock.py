"""The rendezvous's clock: UTC read once, then carried on by the monotonic clock.

Appointments outlive a step of the wall clock (an operator's ``date -s``, an NTP
daemon's first correction), since nobody reads the wall clock twice.  Whether it
was right at the start does not matter either: peers measure this clock's
difference from theirs, and translate.
"""

from __future__ import annotations

import time
from typing import Protocol

from rendezvous.protocol.times import us_from_ns


class Clock(Protocol):
    """Where ``now`` comes from."""

    def now_us(self) -> int:
        """Return the rendezvous's time in microseconds of POSIX UTC; it never goes back."""
        ...


class SystemClock:
    """The real one."""

    def __init__(self) -> None:
        """Read the wall clock, the only time that it is read."""
        before_ns = time.monotonic_ns()
        wall_ns = time.time_ns()
        after_ns = time.monotonic_ns()
        self._wall_minus_monotonic_ns = wall_ns - (before_ns + after_ns) // 2

    def now_us(self) -> int:
        """Return the rendezvous's time in microseconds of POSIX UTC; it never goes back."""
        return us_from_ns(time.monotonic_ns() + self._wall_minus_monotonic_ns)

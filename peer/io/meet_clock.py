"""The clock that meetings are kept by: UTC by NTP, and nothing else.

A rendezvous could lend its own clock; here there is none, and two hosts that each
trust their own wall clock would miss each other by however wrong it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from peer.core.clockmap import ClockMap, OffsetEstimate
from peer.core.meeting import MAX_BOUND_US
from peer.core.times import MonoNs, UtcNs
from peer.core.trace import ClockLearned, TraceEvent
from peer.core.units import duration
from peer.errors import ClockError
from peer.io.clock import Clock, read_clockmap
from peer.io.ntp import NtpReading, measure_ntp
from rendezvous.protocol.times import NS_PER_MS, NS_PER_S, bound_us_from_ns, ns_from_us, us_from_ns

NTP_TIMEOUT_NS = 3 * NS_PER_S
"""Most that the first measurement may take: nothing else serves, so it is worth the wait."""
LEAST_NS = 500 * NS_PER_MS
"""Least that a later one gets."""
_HINT = "Allow UDP port 123, or name servers that answer with --ntp"


@dataclass(slots=True)
class MeetClock:
    """UTC on this host: measure it first, and again when it has grown old."""

    servers: Sequence[str]
    clock: Clock
    emit: Callable[[TraceEvent], None]
    estimate: OffsetEstimate = field(init=False)
    _map: ClockMap = field(init=False)

    def __post_init__(self) -> None:
        """Read the wall clock, once."""
        self._map = read_clockmap(self.clock)

    @property
    def clockmap(self) -> ClockMap:
        """The local clock."""
        return self._map

    def utc_us(self, at: MonoNs) -> int:
        """Return the UTC of a monotonic reading."""
        return us_from_ns(self._map.utc(at, self.estimate))

    def mono(self, utc_us: int) -> MonoNs:
        """Return the monotonic reading at which it will be so late."""
        return self._map.mono(UtcNs(ns_from_us(utc_us)), self.estimate)

    def bound_us(self) -> int:
        """Return the most that UTC can be wrong now."""
        return bound_us_from_ns(self.estimate.bound_at(self.clock.now()))

    async def measure(self) -> None:
        """Measure for the first time.

        Raises:
            ClockError: nobody knows what time it is, or not well enough.
        """
        reading = await self._ask(MonoNs(self.clock.now() + NTP_TIMEOUT_NS))
        if reading.estimate is None:
            raise _unknown(reading)
        if bound_us_from_ns(reading.estimate.bound_ns) > MAX_BOUND_US:
            bound = duration(bound_us_from_ns(reading.estimate.bound_ns))
            raise ClockError(f"the time is known to ± {bound} only, too badly to meet by", _HINT)

    async def measure_again(self, before: MonoNs) -> None:
        """Measure once more; what was known stays if nobody answers, with its bound grown.

        Args:
            before: when it must be over.
        """
        await self._ask(MonoNs(max(before, self.clock.now() + LEAST_NS)))

    async def _ask(self, deadline: MonoNs) -> NtpReading:
        deadline = MonoNs(min(deadline, self.clock.now() + NTP_TIMEOUT_NS))
        reading = await measure_ntp(self.servers, self.clock, self._map, deadline=deadline)
        if reading.estimate is not None:
            self.estimate = reading.estimate
            self.emit(ClockLearned(ntp=reading.described(self.clock.now()), rendezvous=None))
        return reading


def _unknown(reading: NtpReading) -> ClockError:
    if reading.falsetickers:
        names = ", ".join(reading.falsetickers)
        return ClockError(f"the NTP servers contradict each other ({names})", _HINT)
    failures = "; ".join(f"{name}: {why}" for name, why in reading.failures.items())
    return ClockError(f"no NTP server says what time it is ({failures or 'none is named'})", _HINT)

"""The clocks of this host: their only reader, apart from the volley's own thread.

The wall clock is read once a run, by ``read_clockmap``; see ``core.clockmap``
for why never again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from peer.core.clockmap import ClockMap
from peer.core.times import LocalNs, MonoNs
from rendezvous.protocol.times import NS_PER_S

READINGS = 5
"""Tries at a wall clock reading that was not interrupted; each takes about 0.2 µs."""


class Clock(Protocol):
    """What the shell needs of time; tests give one that jumps."""

    def now(self) -> MonoNs:
        """Read the monotonic clock."""
        ...

    def utc_pair(self) -> tuple[MonoNs, LocalNs]:
        """Read both clocks, as at one moment."""
        ...

    async def sleep_until(self, at: MonoNs) -> None:
        """Wait, coarsely: about a millisecond late."""
        ...


class SystemClock:
    """The host's own clocks."""

    def now(self) -> MonoNs:
        """Read the monotonic clock."""
        return MonoNs(time.monotonic_ns())

    def utc_pair(self) -> tuple[MonoNs, LocalNs]:
        """Read both clocks, as at one moment.

        Returns:
            The wall clock's reading, and the middle of the two monotonic ones
            around it: of several tries the one where they are closest.
        """
        _, pair = min(_bracket() for _ in range(READINGS))
        return pair

    async def sleep_until(self, at: MonoNs) -> None:
        """Wait, coarsely: about a millisecond late (the volley has its own way).

        Args:
            at: the monotonic reading to wait for; one that has passed returns
                after the other tasks had a turn.
        """
        await asyncio.sleep(max(0, at - time.monotonic_ns()) / NS_PER_S)


def read_clockmap(clock: Clock) -> ClockMap:
    """Read the wall clock, once.

    Args:
        clock: whose.

    Returns:
        The local clock as a function of the monotonic one.
    """
    mono, local = clock.utc_pair()
    return ClockMap(anchor_mono=mono, anchor_local=local)


def _bracket() -> tuple[int, tuple[MonoNs, LocalNs]]:
    before = time.monotonic_ns()
    wall = time.time_ns()
    width = time.monotonic_ns() - before
    return width, (MonoNs(before + width // 2), LocalNs(wall))


SPIN_NS = 200_000
"""The last stretch before an instant is spun, not slept: 1 µs late (median) against 90 µs.
Short, since two peers that spin on one processor delay each other by up to a millisecond."""
_SLICE_S = 0.05
"""A long sleep is cut into these, so that it can be called off."""


def sleep_then_spin(at: MonoNs, called_off: Callable[[], bool]) -> None:
    """Block this thread until an instant, exactly: sleep, then spin the last 200 µs.

    Args:
        at: the monotonic reading to return at; returns at once if it has passed.
        called_off: asked every 50 ms; True ends the wait early.
    """
    while (left_ns := at - time.monotonic_ns() - SPIN_NS) > 0:
        if called_off():
            return
        time.sleep(min(left_ns / NS_PER_S, _SLICE_S))
    while time.monotonic_ns() < at:
        pass


def monotonic_ns() -> MonoNs:
    """Read the monotonic clock, for code that runs too often for a :class:`Clock`."""
    return MonoNs(time.monotonic_ns())

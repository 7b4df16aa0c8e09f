"""A clock that jumps: waiting is instant, and every instant is exact."""

from __future__ import annotations

from peer.core.times import LocalNs, MonoNs


class FakeClock:
    """A ``peer.io.clock.Clock`` that moves only when it is told to, or waited for."""

    def __init__(self, *, mono_ns: int = 1_000_000_000, wall_ns: int = 1_700_000_000 * 10**9):
        """Start both clocks.

        Args:
            mono_ns: first monotonic reading.
            wall_ns: what the wall clock shows then.
        """
        self._mono = mono_ns
        self._wall = wall_ns
        self.slept_until: list[MonoNs] = []
        """Every instant that was waited for, in order."""

    def now(self) -> MonoNs:
        """Read the monotonic clock."""
        return MonoNs(self._mono)

    def utc_pair(self) -> tuple[MonoNs, LocalNs]:
        """Read both clocks."""
        return MonoNs(self._mono), LocalNs(self._wall)

    async def sleep_until(self, at: MonoNs) -> None:
        """Jump there, if it is not past."""
        self.slept_until.append(at)
        self.advance(max(0, at - self._mono))

    def advance(self, by_ns: int) -> None:
        """Let time pass, for both clocks."""
        self._mono += by_ns
        self._wall += by_ns

    def step_wall(self, by_ns: int) -> None:
        """Step the wall clock alone, as ``date -s`` does."""
        self._wall += by_ns

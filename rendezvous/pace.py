"""How fast a pair may send through the relay: a bucket that holds a second's worth."""

from __future__ import annotations

from dataclasses import dataclass

BURST_S = 1.0
"""What may come at once: a window's worth on a long path, and what a pause has saved up."""


@dataclass(slots=True)
class Pace:
    """The bucket of one pair."""

    octets_per_s: int
    _paid_at: float = float("-inf")
    """When everything that was sent so far has been paid for, in seconds."""

    def spend(self, octets: int, now: float) -> float:
        """Take octets out.

        Args:
            octets: that have come, whatever there is in the bucket.
            now: a clock's time in seconds, never less than before.

        Returns:
            For how many seconds nothing more should be taken.
        """
        self._paid_at = max(self._paid_at, now - BURST_S) + octets / self.octets_per_s
        return max(0.0, self._paid_at - now)

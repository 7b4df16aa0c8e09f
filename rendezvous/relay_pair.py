"""The pair that two connections of the relay become: what it may carry, and when it is over.

Not for the connections: :mod:`rendezvous.relay_end`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from rendezvous.pace import Pace
from rendezvous.relay_bounds import Bounds

if TYPE_CHECKING:
    from rendezvous.relay_end import End

log = logging.getLogger(__name__)

CHUNK_OCTETS = 128 * 1024
"""Most octets taken from a socket at a time. 64 to 512 KiB carried about 2 GB/s alike, on two busy
processors; 1 MiB less. A pair has two of them."""


def chunk_octets(octets_per_s: int | None) -> int:
    """Say how many octets of a pair are taken from a socket at a time.

    Args:
        octets_per_s: how fast it may be, None: as fast as it can.

    Returns:
        Octets; of a pair that is slowed down a quarter of a second's worth, so that it is never
        silent for long.
    """
    return CHUNK_OCTETS if octets_per_s is None else min(CHUNK_OCTETS, max(1, octets_per_s // 4))


class Pair:
    """Two ends that are joined."""

    def __init__(self, ends: tuple[End, End], bounds: Bounds) -> None:
        """Join two ends, of which neither has sent anything to the other."""
        self._ends = ends
        self._bounds = bounds
        self._loop = asyncio.get_running_loop()
        rate = bounds.octets_per_s
        self._pace = None if rate is None else Pace(rate)
        self._is_over = False
        self._carried = 0
        self._carried_at = self._loop.time()
        self._idle = self._loop.call_later(bounds.idle_s, self._look)

    def other(self, end: End) -> End:
        """Return an end's partner."""
        return self._ends[self._ends[0] is end]

    def carry(self, end: End, data: memoryview) -> None:
        """Send to the other end what has come from one, as far as the operator allows."""
        octets = len(data)
        most = self._bounds.octets
        if most is not None and self._carried + octets > most:
            self.end("as many octets as the operator allows")
            return
        self._carried += octets
        self._carried_at = self._loop.time()
        self.other(end).send(data)
        if self._pace is not None:
            wait_s = self._pace.spend(octets, self._carried_at)
            if wait_s:
                end.slow_down(wait_s)

    def finish(self, end: End) -> bool:
        """Pass an end on; tell whether the connection is still needed."""
        other = self.other(end)
        other.finish_sending()
        if other.ended:
            other.close()
        return not other.ended

    def lost(self, end: End) -> None:
        """Cut the other end off, unless both had sent all, or are being closed anyway."""
        if self._idle.cancelled():
            return  # the other one was lost before
        self._idle.cancel()
        log.info("relay: a pair is over after %d octets", self._carried)
        if not self._is_over and not (end.ended and self.other(end).ended):
            self.other(end).abort()

    def end(self, why: str) -> None:
        """Close both, which have been told all that they may be told."""
        self._is_over = True
        log.info("relay: a pair is ended: %s", why)
        for end in self._ends:
            end.close()

    def _look(self) -> None:
        left_s = self._carried_at + self._bounds.idle_s - self._loop.time()
        if left_s <= 0:
            self.end("idle")
        else:
            self._idle = self._loop.call_later(left_s, self._look)

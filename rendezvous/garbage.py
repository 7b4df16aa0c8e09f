"""When Python's collector looks through everything that a server holds.

By itself it does so whenever a quarter more has survived for a while.  Beside 10,000 waiters that
is half a second in which nobody is answered, again and again, and nothing is found: what a request
leaves behind is freed at once, by reference counts.  Only asyncio's transports are circles (each
holds a bound method of its own), about 1.2 kB for each connection that was closed.  Most are found
young; the others when there may be enough of them to be worth the time.
"""

from __future__ import annotations

import gc

YOUNG = 50_000
"""Objects more than before, and those alone are looked through, each one once."""
NEVER = 1_000_000_000
CLOSINGS = 50_000
"""At most 60 MB of transports."""


class Collector:
    """Counts closed connections, and collects after so many."""

    def __init__(self, closings: int = CLOSINGS) -> None:
        """Count from nothing.

        Args:
            closings: how many closed connections a full collection is worth.
        """
        self._closings = closings
        self.counted = 0
        """Closed since the last collection."""

    def begin(self) -> None:
        """Take over, once everything is loaded: modules and routes are never looked at again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, NEVER, NEVER)

    def closed(self) -> None:
        """Note that a connection was closed."""
        self.counted += 1
        if self.counted >= self._closings:
            self.counted = 0
            gc.collect()

"""What an attempt stands on: ports that are claimed, and clocks that are known.

With a rendezvous :class:`peer.io.learn.Learned` is that, without one what
:mod:`peer.io.meet` prepares.
"""

from __future__ import annotations

from typing import Protocol

from peer.core.clockmap import OffsetEstimate
from peer.io.sockets import LocalPort


class Ground(Protocol):
    """Everything that an attempt needs of this host."""

    @property
    def ports(self) -> list[LocalPort]:
        """The claimed ports."""
        ...

    @property
    def report_took_ns(self) -> int | None:
        """How long ago the second report was in when the appointment was read.

        None: there was no report.
        """
        ...

    def offset(self, timescale: str) -> OffsetEstimate:
        """Return the offset that belongs to an appointment's timescale.

        Args:
            timescale: ``utc`` or ``rendezvous``.
        """
        ...

    def close(self) -> None:
        """Give every port back that no winner has taken."""
        ...

"""One timescale for a peer: from the monotonic clock to the corrected one and back.

Theory of operation
-------------------

A wall clock may be hours wrong, and it may be stepped while the peer runs: by
its user, by an NTP daemon, by a resumed virtual machine.  The first is harmless
if it is measured.  The second would move an agreed instant under the peer's
feet.  So the wall clock is read **once**, at the start, and never again::

    local(m) = anchor_local + (m - anchor_mono)        m: a monotonic reading

``local`` is the wall clock of that moment carried on by the monotonic clock.
It cannot step.  Every measured offset is ``server - local`` against this one
line, and an instant of the appointment's timescale becomes a monotonic one by
the same line read backwards::

    corrected(m) = local(m) + offset
    m(instant)   = instant - offset - anchor_local + anchor_mono

The anchor cancels: what the offset adds, measured against the line, the way
back takes off.  So neither the error of the wall clock nor that of reading it
reaches the instant; the wall clock's only job is to make offsets small numbers
that tell a person how wrong the clock is.

What is left is rate: the monotonic clock runs as fast as the host's oscillator
(and its slewing) makes it.  RFC 5905 tolerates PHI = 15 ppm, 15 µs a second,
and an estimate's bound grows by that with its age.

Reference: RFC 5905 §4 (PHI), §8 (offset).
"""

from __future__ import annotations

from dataclasses import dataclass

from peer.core.times import PHI_PPM, LocalNs, MonoNs, UtcNs

PPM = 1_000_000


def drift_ns(elapsed_ns: int) -> int:
    """Say how far two clocks may have drifted apart.

    Args:
        elapsed_ns: a duration; only its size counts.

    Returns:
        PHI of it in nanoseconds, rounded up.
    """
    return -(-abs(elapsed_ns) * PHI_PPM // PPM)


@dataclass(frozen=True, slots=True)
class OffsetEstimate:
    """How far a server's clock is ahead of the local one, and how wrong that may be."""

    offset_ns: int
    """``server - local``: positive where the local clock is behind (RFC 5905's theta)."""
    bound_ns: int
    """The most that the offset can be wrong, when it was measured."""
    measured_at: MonoNs

    def bound_at(self, now: MonoNs) -> int:
        """Say how wrong the offset may be at another time.

        Args:
            now: a monotonic reading, later or earlier than the measurement.

        Returns:
            The bound in nanoseconds, grown by PHI with the age.
        """
        return self.bound_ns + drift_ns(now - self.measured_at)


@dataclass(frozen=True, slots=True)
class ClockMap:
    """The line that the local clock is; see the theory above."""

    anchor_mono: MonoNs
    anchor_local: LocalNs
    """What the wall clock showed at ``anchor_mono``."""

    def local(self, mono: MonoNs) -> LocalNs:
        """Read the local clock.

        Args:
            mono: a monotonic reading.

        Returns:
            The local, uncorrected time of that reading.
        """
        return LocalNs(self.anchor_local + (mono - self.anchor_mono))

    def utc(self, mono: MonoNs, offset: OffsetEstimate) -> UtcNs:
        """Read the corrected clock.

        Args:
            mono: a monotonic reading.
            offset: which timescale, and how far from the local clock.

        Returns:
            The time of that reading in the offset's timescale.
        """
        return UtcNs(self.local(mono) + offset.offset_ns)

    def mono(self, utc: UtcNs, offset: OffsetEstimate) -> MonoNs:
        """Say when an instant of the corrected clock comes.

        Args:
            utc: an instant in the offset's timescale.
            offset: which timescale, and how far from the local clock.

        Returns:
            The monotonic reading at which ``utc(mono, offset)`` is that instant.
        """
        return MonoNs(utc - offset.offset_ns - self.anchor_local + self.anchor_mono)

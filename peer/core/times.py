"""Time inside a peer: integer nanoseconds, and which clock they belong to.

Three clocks, three types.  A *monotonic* reading orders events of one process.
The *local* clock is the host's wall clock as it was when the peer started,
carried on by the monotonic clock: it may be hours wrong but it never steps.
The *corrected* clock is the local one plus a measured offset: the timescale of
an appointment, and the only one that means anything to the partner.
"""

from __future__ import annotations

from typing import NewType

MonoNs = NewType("MonoNs", int)
"""A reading of the monotonic clock."""
LocalNs = NewType("LocalNs", int)
"""Nanoseconds of POSIX time by this host's own, uncorrected clock."""
UtcNs = NewType("UtcNs", int)
"""Nanoseconds of POSIX time in an appointment's timescale."""

PHI_PPM = 15
"""Frequency tolerance in parts per million (RFC 5905 §4, PHI)."""

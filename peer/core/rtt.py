"""Four timestamps: what one request and its answer say of a clock and of a path.

::

        local clock   T1 ------.            .-----> T4
                                \\          /
        server clock             `-> T2  T3

The server read T2 after the local clock read T1, and T3 before the local clock
read T4.  So the offset, ``server - local``, lies between ``T3 - T4`` and
``T2 - T1``, however the two ways share the time.  The middle of that interval
is RFC 5905's theta, its width is the delay, and half the width is how wrong
the middle can be.  The exchange of least delay therefore says most.

This arithmetic serves NTP (``ntp_filter``) and the rendezvous connection alike;
the round trips of the latter also pace the appointment.

Reference: RFC 5905 §8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peer.core.clockmap import OffsetEstimate, drift_ns
from peer.core.times import LocalNs, MonoNs, UtcNs

WIRE_RESOLUTION_NS = 1_000
"""The rendezvous tells T2 and T3 in whole microseconds."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer."""

    t1: LocalNs
    """Request sent, by the local clock."""
    t2: UtcNs
    """Request received, by the server's clock."""
    t3: UtcNs
    """Answer sent, by the server's clock."""
    t4: LocalNs
    """Answer received, by the local clock."""
    at: MonoNs
    """The monotonic reading that ``t4`` was made from."""

    @property
    def offset_ns(self) -> int:
        """Theta: ``((T2 - T1) + (T3 - T4)) / 2``, rounded down."""
        return ((self.t2 - self.t1) + (self.t3 - self.t4)) // 2

    @property
    def delay_ns(self) -> int:
        """Delta: ``(T4 - T1) - (T3 - T2)``; negative only if a clock stepped in between."""
        return (self.t4 - self.t1) - (self.t3 - self.t2)

    @property
    def error_ns(self) -> int:
        """Half the delay, rounded up, and the drift while the exchange lasted."""
        return -(-self.delay_ns // 2) + drift_ns(self.t4 - self.t1)


@dataclass(frozen=True, slots=True)
class RttEstimate:
    """A path's round trip."""

    rtt_ns: int
    """The least delay seen."""
    jitter_ns: int
    """Mean deviation of the delays from their mean."""


def from_exchanges(
    exchanges: Sequence[Exchange], *, resolution_ns: int = WIRE_RESOLUTION_NS
) -> tuple[OffsetEstimate, RttEstimate]:
    """Estimate a server's clock and the path to it from a handful of exchanges.

    Args:
        exchanges: in any order; those of negative delay (a clock was stepped
            in between) are left out.
        resolution_ns: how coarse the server's timestamps are.

    Returns:
        The offset of the exchange that is surest at the time of the last one,
        with its bound, and the round trip over all.

    Raises:
        ValueError: if no exchange is usable.
    """
    usable = [exchange for exchange in exchanges if exchange.delay_ns >= 0]
    if not usable:
        raise ValueError("no usable exchange: a clock was stepped in each, or there is none")
    now = MonoNs(max(exchange.at for exchange in usable))
    surest = min(
        (OffsetEstimate(e.offset_ns, e.error_ns + resolution_ns, e.at) for e in usable),
        key=lambda estimate: estimate.bound_at(now),
    )
    return surest, _round_trip([exchange.delay_ns for exchange in usable])


def _round_trip(delays_ns: Sequence[int]) -> RttEstimate:
    least = min(delays_ns)
    if len(delays_ns) == 1:
        # RFC 6298 §2.2, the first measurement: "RTTVAR <- R/2". Unknown is not zero.
        return RttEstimate(rtt_ns=least, jitter_ns=-(-least // 2))
    mean = sum(delays_ns) // len(delays_ns)
    deviation = sum(abs(delay - mean) for delay in delays_ns)
    return RttEstimate(rtt_ns=least, jitter_ns=-(-deviation // len(delays_ns)))

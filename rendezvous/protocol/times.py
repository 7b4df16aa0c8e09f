"""Units of time on the wire: whole microseconds.

Instants are integer microseconds of POSIX UTC: nanoseconds of today exceed
2**53, which a JSON reader in another language may round.  Durations are
integer microseconds as well.  Inside a peer everything is nanoseconds
(``peer.core.times``); this module is the only bridge between the two.
"""

from __future__ import annotations

US_PER_S = 1_000_000
NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


def us_from_ns(value_ns: int) -> int:
    """Round nanoseconds to the nearest microsecond, halves up.

    Args:
        value_ns: an instant or a duration in nanoseconds, any sign.

    Returns:
        The same in whole microseconds.
    """
    return (value_ns + NS_PER_US // 2) // NS_PER_US


def bound_us_from_ns(bound_ns: int) -> int:
    """Round an error bound up: a bound may grow on the wire, never shrink.

    Args:
        bound_ns: a bound in nanoseconds, not negative.

    Returns:
        The smallest whole number of microseconds that is not below it.
    """
    return -(-bound_ns // NS_PER_US)


def ns_from_us(value_us: int) -> int:
    """Turn microseconds into nanoseconds, exactly.

    Args:
        value_us: an instant or a duration in microseconds, any sign.

    Returns:
        The same in nanoseconds.
    """
    return value_us * NS_PER_US

"""A countdown: when to say how long there is to go, and in what words."""

from __future__ import annotations

from rendezvous.protocol.times import NS_PER_S

_MINUTE_S, _HOUR_S = 60, 3600
LAST_S = 1
"""Nothing is said after this: shortly before the instant the process keeps still."""


def next_tick_s(left_ns: int, *, every_second: bool) -> int:
    """Say at how many seconds to go the next word is due.

    Args:
        left_ns: to the instant.
        every_second: for a line that is written over; else seldom enough for a log.

    Returns:
        Whole seconds, less than are left; 0: nothing more is said.
    """
    below_s = max(0, -(-left_ns // NS_PER_S) - 1)
    if every_second:
        return below_s if below_s >= LAST_S else 0
    if below_s > 10 * _MINUTE_S:
        step_s = _HOUR_S if below_s >= 2 * _HOUR_S else 10 * _MINUTE_S
    elif below_s >= 30:
        step_s = _MINUTE_S if below_s >= _MINUTE_S else 30
    else:
        step_s = 10 if below_s >= 10 else 5
    return below_s // step_s * step_s


def clock_face(left_s: int) -> str:
    """Say a number of seconds as a clock counts them.

    Args:
        left_s: not negative.

    Returns:
        ``42 s``, ``3:05`` or ``1:02:03``.
    """
    minutes, seconds = divmod(left_s, _MINUTE_S)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}" if minutes else f"{seconds} s"

"""Instants as people write them: ISO 8601 with a zone, in and out.

Reference: RFC 3339, which is the part of ISO 8601 that needs no guessing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from rendezvous.protocol.times import US_PER_S

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class CalendarError(ValueError):
    """The text is no instant; the message says what is missing."""


def parse_instant(text: str) -> tuple[int, int]:
    """Read an instant.

    Args:
        text: a date, a time and a zone, ``2026-11-20T22:14:30+08:00`` or ``…Z``.

    Returns:
        Microseconds of POSIX time, and the zone: seconds east of UTC.

    Raises:
        CalendarError: the text is none, or has no zone: two hosts in two zones would take it for
            two instants.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CalendarError(f"{text!r} is not a time like 2026-11-20T22:14:30+08:00") from None
    offset = moment.utcoffset()
    if offset is None:
        raise CalendarError(
            f"{text!r} has no zone: add one, like +08:00, or Z for UTC, so that it means the same "
            "on both hosts"
        )
    return (moment - _EPOCH) // _MICROSECOND, int(offset.total_seconds())


def write_instant(instant_us: int, zone_s: int = 0) -> str:
    """Write an instant.

    Args:
        instant_us: microseconds of POSIX time.
        zone_s: of the clock to write it by, in seconds east of UTC.

    Returns:
        ISO 8601 to the second, or the millisecond where that is not 0; ``Z`` for UTC.
    """
    zone = timezone(timedelta(seconds=zone_s))
    moment = (_EPOCH + timedelta(microseconds=instant_us)).astimezone(zone)
    whole = instant_us % US_PER_S < 1_000
    text = moment.isoformat(timespec="seconds" if whole else "milliseconds")
    return text.removesuffix("+00:00") + "Z" if zone_s == 0 else text

"""Numbers as people read them."""

from __future__ import annotations


def duration(value_us: int) -> str:
    """Say a duration with three significant digits.

    Args:
        value_us: microseconds, not negative.

    Returns:
        ``850 µs``, ``41.2 ms`` or ``3.70 s``.
    """
    if value_us < 1_000:
        return f"{value_us} µs"
    # 999.6 would be said as 1000.
    if value_us < 999_500:
        return f"{_three(value_us / 1_000)} ms"
    return f"{_three(value_us / 1_000_000)} s"


def offset(value_us: int) -> str:
    """Say how wrong a clock is, to the millisecond.

    Args:
        value_us: microseconds, not negative.

    Returns:
        ``3.700 s``, or a duration below a second.
    """
    return duration(value_us) if value_us < 1_000_000 else f"{value_us / 1_000_000:,.3f} s"


def data_size(count: int) -> str:
    """Say a number of bytes.

    Args:
        count: bytes.

    Returns:
        ``12 B``, ``1.50 kB``, ``32.0 MB`` (powers of ten).
    """
    if count < 1_000:
        return f"{count} B"
    for unit in ("kB", "MB", "GB"):
        count_in = count / {"kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
        if count_in < 999.5 or unit == "GB":
            return f"{_three(count_in)} {unit}"
    raise AssertionError


def _three(value: float) -> str:
    # Limits that rounding cannot cross: 9.996 is 10.0, not 10.00.
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"

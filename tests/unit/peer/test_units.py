"""Numbers as people read them: three digits, and never a thousand of a unit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.units import data_size, duration, offset


@pytest.mark.parametrize(
    ("value_us", "text"),
    [
        (0, "0 µs"),
        (999, "999 µs"),
        (1_000, "1.00 ms"),
        (9_994, "9.99 ms"),
        (9_996, "10.0 ms"),
        (41_230, "41.2 ms"),
        (99_960, "100 ms"),
        (999_400, "999 ms"),
        (999_600, "1.00 s"),
        (3_700_000, "3.70 s"),
        (120_000_000, "120 s"),
    ],
)
def test_duration_when_said_has_three_digits(value_us: int, text: str) -> None:
    assert duration(value_us) == text


@given(st.integers(1_000, 999_499_999))
def test_duration_when_said_is_right_to_three_digits(value_us: int) -> None:
    number, unit = duration(value_us).split()

    assert re.fullmatch(r"\d\.\d\d|\d\d\.\d|\d\d\d", number)
    said_us = float(number) * {"ms": 1e3, "s": 1e6}[unit]
    assert said_us == pytest.approx(value_us, rel=0.0051)


@pytest.mark.parametrize(
    ("value_us", "text"),
    [(350, "350 µs"), (3_700_000, "3.700 s"), (3_599_999_600, "3,600.000 s")],
)
def test_offset_when_said_is_exact_to_the_millisecond(value_us: int, text: str) -> None:
    assert offset(value_us) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.50 kB"),
        (999_700, "1.00 MB"),
        (32_000_000, "32.0 MB"),
        (5_000_000_000_000, "5000 GB"),
    ],
)
def test_data_size_when_said_has_three_digits(count: int, text: str) -> None:
    assert data_size(count) == text

"""Instants as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.io.calendar import CalendarError, parse_instant, write_instant

INSTANT_US = 1_795_184_070_000_000
EAST_S = 8 * 3600


@pytest.mark.parametrize(
    ("text", "zone_s"),
    [
        ("2026-11-20T22:14:30+08:00", EAST_S),
        ("2026-11-20 22:14:30+08:00", EAST_S),
        ("2026-11-20T14:14:30Z", 0),
        ("2026-11-20T14:14:30.000+00:00", 0),
        ("2026-11-20T10:44:30-03:30", -12_600),
    ],
)
def test_instant_when_read_is_the_same_in_every_zone(text: str, zone_s: int) -> None:
    assert parse_instant(text) == (INSTANT_US, zone_s)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-20T22:14:30", "has no zone"),
        ("2026-11-20", "has no zone"),
        ("22:14:30+08:00", "is not a time"),
        ("2026-11-20T22:14:61+08:00", "is not a time"),
        ("tomorrow", "is not a time"),
        ("", "is not a time"),
    ],
)
def test_text_when_it_is_no_instant_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(CalendarError, match=why):
        parse_instant(text)


@pytest.mark.parametrize(
    ("instant_us", "zone_s", "text"),
    [
        (INSTANT_US, EAST_S, "2026-11-20T22:14:30+08:00"),
        (INSTANT_US, 0, "2026-11-20T14:14:30Z"),
        (INSTANT_US + 869_132, 0, "2026-11-20T14:14:30.869Z"),
        (INSTANT_US + 869_132, -12_600, "2026-11-20T10:44:30.869-03:30"),
    ],
)
def test_instant_when_written_is_this(instant_us: int, zone_s: int, text: str) -> None:
    assert write_instant(instant_us, zone_s) == text


@given(st.integers(0, 4 * 10**9), st.integers(-14 * 60, 14 * 60))
def test_instant_when_written_and_read_is_the_same(second: int, zone_min: int) -> None:
    instant_us, zone_s = second * 10**6, zone_min * 60

    assert parse_instant(write_instant(instant_us, zone_s)) == (instant_us, zone_s)

"""Places of a forward, and what patterns allow."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.places import PlaceError, TcpPlace, UnixPlace, parse_pattern, parse_place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("22", TcpPlace("127.0.0.1", 22)),
        ("Example.NET:80", TcpPlace("example.net", 80)),
        ("[2001:DB8::0:1]:443", TcpPlace("2001:db8::1", 443)),
        ("unix:/run/a b", UnixPlace("/run/a b")),
        ("unix:relative", UnixPlace("relative")),
    ],
)
def test_parse_place_reads_the_four_forms(text: str, place: TcpPlace | UnixPlace) -> None:
    assert parse_place(text) == place
    assert parse_place(str(place)) == place


@pytest.mark.parametrize(
    "text",
    ["", ":", ":22", "host:", "host:0", "host:65536", "host:٣", "host:+1", "::1:22", "[]:22",
     "*:22", "10.0.0.0/8:22", "a b:22", "a\x1b[2J:22", "unix:", "unix:/a\0b", "host"],
)  # fmt: skip
def test_parse_place_refuses_other_text(text: str) -> None:
    with pytest.raises(PlaceError):
        parse_place(text)


@pytest.mark.parametrize(
    ("pattern", "place", "allowed"),
    [
        ("127.0.0.1:22", "22", True),
        ("127.0.0.1:22", "23", False),
        ("127.0.0.1:*", "65535", True),
        ("HOST:*", "host:1", True),
        ("host:*", "host.example:1", False),
        ("*:22", "host:22", True),
        ("*:22", "[::1]:22", True),
        ("*:22", "host:2222", False),
        ("10.0.0.0/8:80", "10.255.0.1:80", True),
        ("10.0.0.0/8:80", "11.0.0.1:80", False),
        ("10.0.0.0/8:80", "10.example:80", False),
        ("10.0.0.0/8:80", "[::ffff:10.0.0.1]:80", False),
        ("[2001:db8::/32]:*", "[2001:db8:1::1]:9", True),
        ("[2001:DB8::0:1]:9", "[2001:db8::1]:9", True),
    ],
)
def test_pattern_allows_what_it_names(pattern: str, place: str, allowed: bool) -> None:
    parsed = parse_place(place)
    assert isinstance(parsed, TcpPlace)
    assert parse_pattern(pattern).allows(parsed) is allowed


@pytest.mark.parametrize("text", ["", "*", "22", "10.0.0.1/8:80", "10.0.0.0/33:80", "h:0", "h:x"])
def test_parse_pattern_refuses_other_text(text: str) -> None:
    with pytest.raises(PlaceError):
        parse_pattern(text)


@given(st.text())
def test_parse_of_any_text_raises_only_place_errors(text: str) -> None:
    with contextlib.suppress(PlaceError):
        parse_place(text)
    with contextlib.suppress(PlaceError):
        parse_pattern(text)

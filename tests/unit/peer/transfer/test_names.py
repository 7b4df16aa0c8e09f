"""Names of files as they travel."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.transfer.names import (
    COMPONENT_MAX,
    NameRefusedError,
    components,
    is_part,
    part_of,
    shown,
)


@pytest.mark.parametrize(
    "name", ["a", "a/b", "ä/日本", "a\\b", "...", "-rf", ".hidden", "CON", "a b"]
)
def test_components_when_ordinary_are_those_of_the_path(name: str) -> None:
    assert components(name) == name.split("/")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/",
        "/etc/passwd",
        "a//b",
        "a/",
        "../a",
        "a/../../b",
        "a/./b",
        "a\0b",
        "a\nb",
        "\x1b[2J",
        "a\x7f",
        "\x85",
        "\ud800",
        "x" * 256,
        "ä" * 128,
        "/".join(["x"] * 129),
        "/".join(["x" * 200] * 21),
        ".a.midair-part",
        "d/.a.midair-part",
    ],
)
def test_components_when_hostile_are_refused(name: str) -> None:
    with pytest.raises(NameRefusedError):
        components(name)


@given(st.text())
def test_components_of_any_text_stay_inside(name: str) -> None:
    with contextlib.suppress(NameRefusedError):
        for part in components(name):
            assert part not in ("", ".", "..")
            assert not set(part) & {"/", "\0", "\n"}
            assert len(part.encode()) <= COMPONENT_MAX


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255))
def test_part_of_any_name_is_reserved_and_fits(name: str) -> None:
    part = part_of(name)

    assert is_part(part)
    assert len(part.encode()) <= COMPONENT_MAX


@given(st.text(alphabet=st.characters()))
def test_shown_of_any_text_is_printable(name: str) -> None:
    assert shown(name).isprintable()


def test_shown_when_there_are_control_characters_escapes_them() -> None:
    assert shown("a\x1b[2J\u202e\ud800") == "a\\x1b[2J\\u202e\\ud800"
    assert shown("") == "(empty)"

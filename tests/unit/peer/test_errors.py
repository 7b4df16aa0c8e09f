"""The tree of errors: its drawing, its exit codes and its texts."""

from __future__ import annotations

import re

import pytest

from peer import errors
from peer.errors import AuthenticationError, MidairError, NoPathError, UsageError
from rendezvous.protocol.messages import Reason

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MidairError) and kind is not MidairError
]


def drawn() -> dict[str, int]:
    """Read the exit codes out of the drawing; a child without one has its parent's."""
    codes: dict[str, int] = {}
    last = 0
    for name, code in re.findall(r"── (\w+Error) +(\d|…)", errors.__doc__ or ""):
        last = last if code == "…" else int(code)
        codes[name] = last
    return codes


def test_drawing_when_read_shows_every_class_and_its_exit_code() -> None:
    assert drawn() == {kind.__name__: kind.exit_code for kind in CLASSES}


def test_verdicts_when_listed_are_unlike_each_other() -> None:
    verdicts = [kind.verdict for kind in CLASSES if kind is not NoPathError]

    assert len(set(verdicts)) == len(verdicts)


@pytest.mark.parametrize("kind", CLASSES)
def test_docstring_when_read_is_a_sentence(kind: type[MidairError]) -> None:
    assert (kind.__doc__ or "").strip()


def test_str_when_there_is_a_hint_is_both_sentences() -> None:
    assert str(UsageError("this is wrong", "Do that")) == "this is wrong. Do that"
    assert str(UsageError("this is wrong")) == "this is wrong"


def test_no_path_when_made_takes_its_verdict_from_the_reason() -> None:
    error = NoPathError(Reason.SILENT, "no path")

    assert (error.verdict, error.reason, error.exit_code) == ("silent", Reason.SILENT, 5)


def test_exit_codes_when_compared_are_the_documented_ones() -> None:
    assert AuthenticationError.exit_code == 6
    assert sorted({kind.exit_code for kind in CLASSES}) == [1, 2, 3, 4, 5, 6, 7]

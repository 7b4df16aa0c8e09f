"""Connections to the rendezvous on which nothing comes any more: given up, in a stated time."""

from __future__ import annotations

import pytest

from tests.loopback.faults.rendezvous.stories import Told


def test_rendezvous_when_it_never_answers_exits_3(told: Told) -> None:
    ended, said = told["silent_from_the_start"].result()
    assert ended == (3, b"")
    assert "cannot be reached (no answer in time)" in said
    assert "that `midair-rendezvous` runs there" in said


def test_rendezvous_when_it_does_not_come_back_exits_3(told: Told) -> None:
    ended, said = told["gone_for_good"].result()
    assert ended == (3, b"")
    assert "cannot be reached" in said


@pytest.mark.parametrize("story", ["poll", "everything_else"])
def test_session_when_an_answer_stalls_goes_on(told: Told, story: str) -> None:
    ended, _ = told[story].result()
    assert ended == (0, b"from the one")

"""Answers of the rendezvous that are lost, cut, late or in pieces: the session goes on."""

from __future__ import annotations

import pytest

from tests.loopback.faults.rendezvous.relay import (
    Fault,
    Kind,
    Relay,
    cut,
    in_pieces,
    late,
    lose_by_close,
    lose_by_reset,
)
from tests.loopback.faults.rendezvous.server import carries_a_session


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
def test_session_when_answers_of_a_kind_are_lost_goes_on(between: Relay, kind: Kind) -> None:
    # A leave is said once by each peer, and never again: nothing hangs on its answer.
    faults = (
        (lose_by_reset, lose_by_close)
        if kind is Kind.LEAVE
        else (lose_by_reset, lose_by_close, cut)
    )
    between.does(kind, *faults)
    carries_a_session(between.url)


@pytest.mark.parametrize("fault", [late, in_pieces])
def test_session_when_an_answer_of_every_kind_is_slow_goes_on(between: Relay, fault: Fault) -> None:
    for kind in Kind:
        between.does(kind, fault)
    carries_a_session(between.url)

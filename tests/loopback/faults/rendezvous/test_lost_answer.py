"""Answers of the rendezvous that are lost, cut, late or in pieces: the session goes on."""

from __future__ import annotations

import pytest

from tests.loopback.faults.rendezvous.exchanges import (
    Fault,
    cut,
    in_pieces,
    late,
    lose_by_close,
    lose_by_reset,
)
from tests.loopback.faults.rendezvous.relay import Kind, Relay
from tests.loopback.faults.rendezvous.server import carries_a_session
from tests.loopback.programs import finish_both, pair


@pytest.mark.parametrize("fault", [lose_by_reset, lose_by_close, cut])
def test_session_when_an_answer_of_every_kind_is_lost_goes_on(between: Relay, fault: Fault) -> None:
    for kind in Kind:
        between.does(kind, fault)
    carries_a_session(between.url)


def test_session_when_answers_are_lost_again_and_again_goes_on(between: Relay) -> None:
    # A leave is said once by each peer, and never again: nothing hangs on its answer.
    for kind in set(Kind) - {Kind.LEAVE}:
        between.does(kind, *(lose_by_reset,) * 3)
    carries_a_session(between.url)


@pytest.mark.parametrize("fault", [late(0.3), in_pieces], ids=["late", "in_pieces"])
def test_session_when_an_answer_of_every_kind_is_slow_goes_on(between: Relay, fault: Fault) -> None:
    for kind in Kind:
        between.does(kind, fault)
    carries_a_session(between.url)


def test_appointment_when_it_comes_after_its_instant_is_kept_at_once(between: Relay) -> None:
    between.does(Kind.REPORT, late(1.0))
    with pair(between.url) as (one, other):
        assert finish_both(one, other) == ((0, b""), (0, b"")), (one.events, other.events)
        kept = [e for p in (one, other) for e in p.events if e["event"] == "appointment"]
        assert max(e["late_us"] for e in kept) > 0

"""A rendezvous that is restarted in the middle of a session, in order or not at all so."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.loopback.faults.rendezvous.exchanges import Hold, pass_on
from tests.loopback.faults.rendezvous.relay import Kind, Relay
from tests.loopback.faults.rendezvous.server import Server
from tests.loopback.programs import Peer, finish_both, pair

KILLED, STOPPED = signal.SIGKILL, signal.SIGTERM
BOTH_WELL = ((0, b"to the one"), (0, b"to the other"))


@pytest.fixture
def server() -> Iterator[Server]:
    """One for each test: what it leaves behind is none of the next one's business."""
    with Server() as running:
        yield running


def both_end_well(one: Peer, other: Peer) -> None:
    ends = finish_both(one, other, b"to the other", b"to the one")
    assert ends == BOTH_WELL, (one.events, other.events)


@pytest.mark.parametrize("number", [STOPPED, KILLED])
def test_waiting_peer_when_its_server_is_restarted_is_found_by_the_same_code(
    server: Server, between: Relay, number: signal.Signals
) -> None:
    with Peer("listen", "--json", url=between.url) as one:
        code = one.wait_for("code")["code"]
        between.wait_for(Kind.WAIT)
        server.restart(number)
        # At once: the waiting peer may be in the pause before its next request.
        with Peer("connect", code, "--json", url=server.url) as other:
            both_end_well(one, other)


@pytest.mark.parametrize("number", [STOPPED, KILLED])
def test_first_report_when_its_server_is_restarted_before_the_second_is_made_again(
    server: Server, between: Relay, number: signal.Signals
) -> None:
    second = Hold(answered=False)
    between.does(Kind.REPORT, pass_on, second)
    with pair(between.url) as (one, other):
        second.wait()
        server.restart(number)
        second.release()
        both_end_well(one, other)


@pytest.mark.parametrize("number", [STOPPED, KILLED])
def test_appointment_when_nobody_got_it_before_a_restart_is_made_again(
    server: Server, between: Relay, number: signal.Signals
) -> None:
    answers = Hold(answered=True), Hold(answered=True)
    between.does(Kind.REPORT, *answers)
    with pair(between.url) as (one, other):
        for answer in answers:
            answer.wait()
        server.restart(number)
        for answer in answers:
            answer.release()
        both_end_well(one, other)


def test_appointment_when_only_one_got_it_before_a_restart_is_missed_and_another_is_made(
    server: Server, between: Relay
) -> None:
    lost = Hold(answered=True)
    between.does(Kind.REPORT, lost)
    with pair(between.url) as (one, other):
        lost.wait()
        server.restart(KILLED)
        lost.release()
        both_end_well(one, other)
        # One fired alone; the other one learned that there had been an attempt at all.
        missed = [e["reason"] for p in (one, other) for e in p.events if e["event"] == "missed"]
        assert missed.count("appointment_late") == 1

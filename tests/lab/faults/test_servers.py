"""Reflectors that are down, and a rendezvous that is restarted, with the lab's delay to them."""

from __future__ import annotations

import signal

import pytest

from lab.capture import Capture
from lab.scenario import Scenario
from lab.topology import ADDRESSES, SIDES
from tests.lab.faults.blocked import How, blocked
from tests.lab.faults.play import failure, play
from tests.lab.faults.stages import Stage, go_on, has_arrived, reach

REFLECTORS = (8081, 8082)
"""The rendezvous's default."""
NONE_ANSWERS = "no reflector of the rendezvous answers (192.0.2.10:8081, 192.0.2.10:8082)"


@pytest.mark.parametrize("how", ["rst", "drop"])
def test_reflectors_that_are_down_end_both_peers_with_their_names(
    scenario: Scenario, how: How
) -> None:
    with blocked(scenario.world, "rendezvous", REFLECTORS, how):
        session = scenario.run()
    for side in SIDES:
        assert failure(session.peers[side]) == (3, "rendezvous_unreachable", NONE_ANSWERS)
        hint = (session.peers[side].event("failed") or {})["hint"]
        assert hint.startswith("Its TCP ports must be open to this host")


@pytest.mark.parametrize("how", ["rst", "drop"])
def test_reflectors_that_are_down_for_one_peer_end_the_other_with_whose_fault(
    scenario: Scenario, how: How
) -> None:
    own = ADDRESSES["a"].wan
    with blocked(scenario.world, "rendezvous", REFLECTORS, how, source=own):
        session = scenario.run()
    assert failure(session.peers["a"]) == (3, "rendezvous_unreachable", NONE_ANSWERS)
    assert failure(session.peers["b"]) == (
        5,
        "no_candidates",
        "no path: your partner's NAT shows no address that could be told to the other side",
    )


@pytest.mark.parametrize("how", ["rst", "drop"])
def test_one_reflector_of_two_is_enough(scenario: Scenario, how: How) -> None:
    with blocked(scenario.world, "rendezvous", (8082, 8082), how):
        session = scenario.run()
    assert session.connected, session.peers
    for side in SIDES:
        mapping = session.peers[side].event("mapping")
        assert mapping is not None
        assert (mapping["mapping"], len(mapping["srflx"])) == ("unknown", 4)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
@pytest.mark.parametrize("stage", ["waiting", "reported"])
def test_rendezvous_that_is_restarted_costs_no_session(
    scenario: Scenario, stage: Stage, number: signal.Signals
) -> None:
    """With a's report its memory goes, and with its key every token; b is learning meanwhile."""
    with play(scenario) as session:
        reach(session, stage)
        scenario.end_rendezvous(number)
        with Capture(scenario.world.space("rendezvous")) as arriving:
            if stage == "reported":
                go_on(session, stage)
            scenario.start_rendezvous()
            if stage == "waiting":
                # Who joins before the waiting peer was back would find nobody.
                session.until_true(lambda: has_arrived(arriving, b"/wait "))
                go_on(session, stage)
            for side in SIDES:
                session.until(side, "connected")
        peers = session.end()
    assert [peers[side].exit_code for side in SIDES] == [0, 0]
    assert [peers[side].noise for side in SIDES] == ["", ""]

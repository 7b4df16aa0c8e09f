"""Peers without any delay between them: each with a processor of its own, so not in the guest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.bench.sections import NEAR_SKEWS_MS, SYN_BUDGET, options
from lab.bench.stage import most_syns_an_attempt, pin_apart, processors, skewed, staged, syns
from lab.facts import facts
from lab.requirements import Place, choose_place
from lab.scenario import MESSAGES, Scenario
from lab.topology import SIDES, WorldSpec

RUNS = 3


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    if processors() < 2 or choose_place(netem=False) is not Place.HERE:
        # In CI this fails (tests/conftest.py), and must: the guest has no second processor.
        pytest.skip("needs root, NAT in this kernel, and two processors")
    with staged(options(world=WorldSpec())) as ready:
        pin_apart(ready.world)
        yield ready


@pytest.mark.parametrize("skew_ms", NEAR_SKEWS_MS)
def test_peers_without_delay_connect_and_keep_the_syn_budget(
    scenario: Scenario, skew_ms: float
) -> None:
    for _ in range(RUNS):
        session = skewed(scenario, skew_ms)
        row = facts(session, scenario.options)
        assert row.connected, [peer.events for peer in session.peers.values()]
        assert session.peers["a"].received == MESSAGES["b"]
        assert session.lost_packets == 0
        assert most_syns_an_attempt(session) <= SYN_BUDGET
        for side in SIDES:
            volleys = [e for e in session.peers[side].events if e["event"] == "volley"]
            assert len(syns(session, side)) == sum(volley["shots"] for volley in volleys)

"""A path that looks open and is not, and a relay that nobody reaches."""

from __future__ import annotations

import pytest

from lab.bench.stage import set_routers
from lab.scenario import MESSAGES, Scenario
from lab.topology import RENDEZVOUS_IPV4, SIDES, RouterSpec
from tests.lab.faults.blocked import How, blocked

RELAY = (8083, 8083)
ALL_OF_OURS = (10_000, 65_535)
PAIR_PORTS = 4
OUTSIDE_A = "198.51.100.2"
"""What the partner's host sees of peer a."""


def test_path_that_every_attempt_misses_leads_to_the_relay_with_its_verdict(
    scenario: Scenario,
) -> None:
    # A router that refuses would refuse a SYN of A's whenever B fires later than that arrives.
    set_routers(scenario.world, RouterSpec(answer="drop"), RouterSpec(answer="drop"))
    with blocked(scenario.world, "peer-b", ALL_OF_OURS, "drop", source=OUTSIDE_A):
        session = scenario.run(arguments=["--relay", "auto"])
    for side, partner in zip(SIDES, reversed(SIDES), strict=True):
        peer = session.peers[side]
        relaying, connected = peer.event("relaying"), peer.event("connected")
        assert relaying is not None, peer
        assert connected is not None, peer
        assert (peer.exit_code, peer.received) == (0, MESSAGES[partner])
        assert (relaying["verdict"], connected["path"]) == ("silent", "relay")
        assert [event["event"] for event in peer.events].count("missed") == 3
        assert connected["shots"] == 3 * PAIR_PORTS, "each attempt, one SYN a port"


@pytest.mark.parametrize("how", ["rst", "drop"])
def test_relay_that_nobody_reaches_is_exit_5_with_both_reasons(
    scenario: Scenario, how: How
) -> None:
    random = RouterSpec.named("random")
    set_routers(scenario.world, random, random)
    with blocked(scenario.world, "rendezvous", RELAY, how):
        session = scenario.run(arguments=["--relay", "auto"])
    told = []
    for side in SIDES:
        peer = session.peers[side]
        failed = peer.event("failed")
        assert failed is not None
        assert (peer.exit_code, failed["verdict"]) == (5, "mapping_unpredictable")
        assert "both NATs give every connection a new port" in failed["message"]
        assert "and not over the relay" in failed["message"]
        told.append(failed["message"])
    # The other one may hear that its partner has left before its own time is over.
    assert any(f"nobody answers at {RENDEZVOUS_IPV4}:8083" in message for message in told)

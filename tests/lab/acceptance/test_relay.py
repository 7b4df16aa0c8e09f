"""Where no path opens, the bytes go over the relay, and the user still hears why."""

from __future__ import annotations

import pytest

from lab.bench.sections import PEER_TIMEOUT_MS
from lab.bench.stage import set_routers, syns
from lab.scenario import MESSAGES, Scenario
from lab.topology import SIDES, RouterSpec

RANDOM = RouterSpec.named("random")


@pytest.mark.parametrize("relay", ["auto", "only"])
def test_random_ports_on_both_sides_are_no_obstacle_to_the_relay(
    scenario: Scenario, relay: str
) -> None:
    set_routers(scenario.world, RANDOM, RANDOM)
    session = scenario.run(arguments=["--relay", relay])
    for side, partner in zip(SIDES, reversed(SIDES), strict=True):
        peer = session.peers[side]
        assert peer.exit_code == 0, peer
        assert peer.received == MESSAGES[partner]
        relaying, connected = peer.event("relaying"), peer.event("connected")
        assert relaying is not None
        assert connected is not None
        assert connected["path"] == "relay"
        assert [connected["remote"]] == relaying["places"]
        # The 40 ms between the peers, whatever way they go.
        assert connected["rtt_us"] >= 40_000
        assert connected["t_ms"] < PEER_TIMEOUT_MS
        verdict = {"auto": "mapping_unpredictable", "only": ""}[relay]
        assert relaying["verdict"] == verdict
        assert ("both NATs give every connection a new port" in relaying["message"]) is bool(
            verdict
        )
        assert syns(session, side) == [], "nobody fires at anybody"

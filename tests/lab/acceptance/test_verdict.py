"""NATs that give every flow a random port: no connection, and a verdict that names them."""

from __future__ import annotations

import pytest

from lab.bench.sections import PEER_TIMEOUT_MS
from lab.bench.stage import set_routers, syns
from lab.scenario import Scenario
from lab.topology import SIDES, RouterSpec

RANDOM, PLAIN = RouterSpec.named("random"), RouterSpec()


@pytest.mark.parametrize(
    ("a", "b", "named_by_a", "named_by_b"),
    [
        (RANDOM, PLAIN, "your NAT gives", "your partner's NAT gives"),
        (PLAIN, RANDOM, "your partner's NAT gives", "your NAT gives"),
        (RANDOM, RANDOM, "both NATs give", "both NATs give"),
    ],
    ids=["a", "b", "both"],
)
def test_random_ports_end_in_a_verdict_that_names_whose_nat(
    scenario: Scenario, a: RouterSpec, b: RouterSpec, named_by_a: str, named_by_b: str
) -> None:
    set_routers(scenario.world, a, b)
    session = scenario.run()
    for side, whose in zip(SIDES, (named_by_a, named_by_b), strict=True):
        peer = session.peers[side]
        failed = peer.event("failed")
        assert peer.exit_code == 5
        assert failed is not None
        assert (failed["verdict"], failed["exit"]) == ("mapping_unpredictable", 5)
        assert f"no path: {whose} every connection a new port" in failed["message"]
        assert failed["t_ms"] < PEER_TIMEOUT_MS
        assert syns(session, side) == [], "nobody knows where to aim, so nobody fires"

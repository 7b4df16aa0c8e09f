"""Bad paths: loss, jitter that reorders, two directions of unlike length. All connect."""

from __future__ import annotations

import pytest

from lab.facts import facts
from lab.scenario import MESSAGES, Scenario
from lab.topology import SIDES, AccessSpec, LinkSpec, Side

RUNS = 5
FAST, SLOW = LinkSpec(delay_ms=5), LinkSpec(delay_ms=80)
LOSSY = AccessSpec.half_of(LinkSpec(delay_ms=20, loss_percent=20))
SHAKY = AccessSpec.half_of(LinkSpec(delay_ms=40, jitter_ms=30, reorder_percent=25))
WEATHER: dict[str, dict[Side, AccessSpec]] = {
    "20 % of all packets lost, each way": {"a": LOSSY, "b": LOSSY},
    "30 ms of jitter, every fourth packet overtakes": {"a": SHAKY, "b": SHAKY},
    "5 ms to the partner, 80 ms back": {"a": AccessSpec(up=FAST, down=SLOW), "b": AccessSpec()},
    "80 ms to the partner, 5 ms back": {"a": AccessSpec(up=SLOW, down=FAST), "b": AccessSpec()},
}


@pytest.mark.parametrize("what", WEATHER)
def test_peers_in_bad_weather_connect_every_time(scenario: Scenario, what: str) -> None:
    for side in SIDES:
        scenario.world.set_access(side, WEATHER[what][side])
    for _ in range(RUNS):
        session = scenario.run()
        row = facts(session, scenario.options)
        told = [peer.events for peer in session.peers.values()]
        assert row.connected, told
        assert row.within_bounds, told
        assert session.peers["a"].received == MESSAGES["b"]
        assert session.peers["b"].received == MESSAGES["a"]

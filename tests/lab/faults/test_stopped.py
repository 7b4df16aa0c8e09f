"""Ctrl-C and SIGTERM at each stage: exit 130, the partner is told, and nothing is left."""

from __future__ import annotations

import signal

import pytest

from lab.scenario import Scenario
from tests.lab.faults.play import failure, nothing_left, play
from tests.lab.faults.stages import STAGES, Stage, environment, go_on, reach

STOPPED = (5, "interrupted", "no path: your partner was stopped by its user")
TOLD: dict[Stage, tuple[int, str, str]] = {
    "waiting": (3, "nameplate_unknown", "nobody waits under"),
    "learning": STOPPED,
    "reported": STOPPED,
    "volley": STOPPED,
    "connected": (1, "broken", "the connection broke: the partner aborted: interrupted"),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
@pytest.mark.parametrize("stage", STAGES)
def test_peer_that_is_stopped_tells_its_user_and_its_partner(
    scenario: Scenario, stage: Stage, number: signal.Signals
) -> None:
    with nothing_left(scenario), play(scenario, environment=environment(stage)) as session:
        reach(session, stage)
        session.signal("a", number)
        a = session.end("a")["a"]
        go_on(session, stage)
        b = session.end("b")["b"]
    assert failure(a) == (130, "interrupted", "stopped")
    *told, message = failure(b)
    *wanted, words = TOLD[stage]
    assert told == wanted
    assert words in message

"""A partner that says nothing more: killed (-9), or its cable cut. The other one ends, and why."""

from __future__ import annotations

import signal

import pytest

from lab.scenario import Scenario
from lab.topology import AccessSpec, LinkSpec
from tests.lab.faults.play import failure, nothing_left, play
from tests.lab.faults.stages import STAGES, WORD, Stage, environment, go_on, reach, talk

TIMEOUT_S: dict[Stage, int] = {"volley": 12, "connected": 30}
"""``--timeout`` of the other one. An attempt takes 5 s, and its miss is then what is told."""
LOST = ("timeout", "no path: your partner came, and then nothing more was heard of it")
TOLD: dict[Stage, tuple[int, str, str]] = {
    "waiting": (5, *LOST),
    "learning": (5, *LOST),
    "reported": (5, *LOST),
    "volley": (5, "refused_early", "no path: every SYN was refused, and your partner's never came"),
    "connected": (
        1,
        "broken",
        "the connection broke: the connection ended before both end marks were confirmed",
    ),
}
LATE = (
    5,
    "refused_late",
    "no path: every SYN was refused although your partner had started before you",
)
"""The volley's, where this host is so busy that b fires a millisecond after its own instant."""
LATE_US = 1_000
"""So far behind its instant a peer calls itself late."""
CUT = AccessSpec(up=LinkSpec(loss_percent=100), down=LinkSpec(loss_percent=100))
NOTICED_MS = 25_000.0
"""A cut cable, as the README says."""
HANGS_MS = 20_000.0
"""Beside these limits, this is no slow machine any more."""


@pytest.mark.parametrize("stage", STAGES)
def test_peer_whose_partner_is_killed_ends_with_the_reason(
    scenario: Scenario, stage: Stage
) -> None:
    timeout_s = TIMEOUT_S.get(stage, 5)
    arguments = ("--timeout", str(timeout_s))
    with (
        nothing_left(scenario),
        play(scenario, arguments={"b": arguments}, environment=environment(stage)) as session,
    ):
        reach(session, stage)
        session.signal("a", signal.SIGKILL)
        assert session.end("a")["a"].exit_code == 128 + signal.SIGKILL
        go_on(session, stage)
        b = session.end("b")["b"]
    # By its own account, so that there is one right verdict for each run.
    shots = [event["fire_error_us"] for event in b.events if event["event"] == "shot"]
    is_late = stage == "volley" and min(shots) >= LATE_US
    assert failure(b) == (LATE if is_late else TOLD[stage])
    paired, failed = b.event("paired"), b.event("failed")
    assert paired is not None
    assert failed is not None
    assert failed["t_ms"] - paired["t_ms"] < timeout_s * 1000 + HANGS_MS


def test_connection_whose_partner_vanishes_breaks_idle_and_while_data_is_written(
    scenario: Scenario,
) -> None:
    """Peer a only waits, for keepalive to tell; b has a mebibyte that nobody acknowledges."""
    with play(scenario) as session:
        session.listen()
        session.join()
        connected = {side: session.until(side, "connected") for side in session.seats}
        talk(session)
        scenario.world.set_access("b", CUT)
        session.seats["b"].write(bytes(2**20))
        failed = {side: session.until(side, "failed") for side in session.seats}
        peers = session.end()
    for side, event in failed.items():
        lost = "the connection broke: the connection was lost: Connection timed out"
        assert failure(peers[side]) == (1, "broken", lost)
        assert event["t_ms"] - connected[side]["t_ms"] < NOTICED_MS + HANGS_MS
    assert peers["a"].received == WORD

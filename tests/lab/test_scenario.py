"""Sessions of the real programs in the lab, and the command that runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab import namespace
from lab.facts import facts
from lab.options import LabOptions
from lab.scenario import MESSAGES, Scenario
from lab.topology import WorldSpec
from lab.world import World

ROUTERS = ("--nat-a", "remapped", "--nat-b", "firewall")
RUN = (sys.executable, "-m", "lab.cli", "run")


@pytest.fixture(scope="module")
def scenario(module_world: World) -> Iterator[Scenario]:
    options = LabOptions(world=WorldSpec(), clock_a_s=3.7, clock_b_s=-41)
    with Scenario(module_world, options) as ready:
        yield ready


def test_session_of_two_peers_with_wrong_clocks_crosses(world: World, scenario: Scenario) -> None:
    session = scenario.run()
    row = facts(session, scenario.options)
    for peer in session.peers.values():
        assert peer.noise == ""
    assert session.connected
    assert session.lost_packets == 0
    assert session.peers["a"].received == MESSAGES["b"]
    assert session.peers["b"].received == MESSAGES["a"]
    assert row.crossed
    assert row.timescale == "utc"
    assert row.within_bounds is True


def test_session_that_takes_too_long_is_killed_and_the_next_is_not_disturbed(
    world: World, scenario: Scenario
) -> None:
    stuck = scenario.run(timeout_s=0.0)
    assert not stuck.connected
    assert {peer.exit_code for peer in stuck.peers.values()} <= {137, -1}
    assert scenario.run().connected


def test_run_command_prints_sessions_and_a_summary_as_json() -> None:
    done = subprocess.run(
        [*RUN, *ROUTERS, "--delay", "5", "--repeat", "2", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    *rows, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["event"] for row in rows] == ["session", "session"]
    assert (summary["event"], summary["sessions"], summary["connected"]) == ("summary", 2, 2)
    assert done.returncode == 0


def test_run_command_when_interrupted_leaves_nothing() -> None:
    with subprocess.Popen(
        [*RUN, "--repeat", "1000", "--json"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "session"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert [name for name in namespace.names() if f"midair-{process.pid}x" in name] == []

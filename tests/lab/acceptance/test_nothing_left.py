"""What a session, and a lab that is interrupted, leave behind: nothing."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import namespace
from lab.bench.stage import TIME_WAIT, inhabitants, tcp_sockets
from lab.scenario import Scenario
from lab.topology import SIDES

PATIENCE_S = 20.0
"""A FIN and its answer take a round trip, or a retransmission; this ends a test that hangs."""
LAB_PROGRAMS = ("lab.warm_server", "midair-rendezvous", "chronyd")


def open_sockets(scenario: Scenario) -> list[tuple[int, int]]:
    """List the peers' TCP sockets that are not merely remembered."""
    spaces = [scenario.world.space(f"peer-{side}") for side in SIDES]
    sockets = [found for space in spaces for found in tcp_sockets(space)]
    return [(state, port) for state, port in sockets if state != TIME_WAIT]


def test_session_leaves_no_socket_and_no_process(scenario: Scenario) -> None:
    spaces = [scenario.world.space(f"peer-{side}") for side in SIDES]
    before = [inhabitants(space) for space in spaces]
    assert scenario.run().connected
    assert [inhabitants(space) for space in spaces] == before
    deadline = time.monotonic() + PATIENCE_S
    while open_sockets(scenario) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert open_sockets(scenario) == []


def lab_programs() -> dict[int, str]:
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if any(program in words for program in LAB_PROGRAMS):
                    found[int(folder.name)] = words
    return found


def test_run_command_when_interrupted_leaves_no_process(scenario: Scenario) -> None:
    before = lab_programs()
    names = namespace.names()
    command = [sys.executable, "-m", "lab.cli", "run", "--repeat", "1000", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "session"
        assert len(lab_programs()) > len(before)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert lab_programs() == before
    assert namespace.names() == names

"""``midair meet`` on loopback: two processes, a real NTP server, no rendezvous.

Both are on one host, so each has a port of its own; by a secret both would want the same ones,
which only two hosts can have: those tests are in tests/lab.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.loopback.chrony import chronyd, faked
from tests.loopback.ports import free_ports
from tests.loopback.programs import BIN, KEYS, NO_NTP, PATIENCE_S, PROCESSORS, Peer, finish_both

SECRET, OTHER = "aaaqeayeaudaocajbifqydiob4", "f" * 32
AHEAD_S = 3.0
"""Until both programs run; what comes later than its instant is refused, not retried."""
Environment = Mapping[str, str]


@pytest.fixture(scope="module")
def ntp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chronyd(tmp_path_factory.mktemp("chrony")) as server:
        yield server


def ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@contextlib.contextmanager
def meeting(
    ntp: str, a: Environment | None = None, b: Environment | None = None, *words: str
) -> Iterator[tuple[Peer, Peer]]:
    """Run two peers that meet at one instant, each with variables of its own."""
    first, at = free_ports(2), ahead(AHEAD_S)
    common = ("meet", "127.0.0.1", "--at", at, "--ntp", ntp, "--json", *words)
    with contextlib.ExitStack() as stack:
        peers = []
        for own, env in enumerate((a, b)):
            ports = ("--port", str(first + own), "--remote-port", str(first + 1 - own))
            peer = stack.enter_context(Peer(*common, *ports, env=env))
            # Two hosts share no processor.
            os.sched_setaffinity(peer.process.pid, {PROCESSORS[own % len(PROCESSORS)]})
            peers.append(peer)
        yield peers[0], peers[1]


def alone(ntp: str, *words: str, host: str = "127.0.0.1", at: str | None = None) -> Peer:
    """Start a peer whose partner does not come."""
    first = str(free_ports(2))
    ports = ("--port", first, "--remote-port", str(int(first) + 1))
    return Peer("meet", host, "--at", at or ahead(60), "--ntp", ntp, "--json", *ports, *words)


def of_kind(peer: Peer, kind: str) -> list[dict[str, Any]]:
    return [event for event in peer.events if event["event"] == kind]


def test_meeting_when_both_are_there_carries_every_byte(ntp: str) -> None:
    with meeting(ntp) as (one, other):
        assert finish_both(one, other, b"I love you.", b"too") == (
            (0, b"too"),
            (0, b"I love you."),
        )
        facts = [of_kind(peer, "connected")[0] for peer in (one, other)]

    assert {fact["role"] for fact in facts} == {"initiator", "responder"}
    assert facts[0]["local"] == facts[1]["remote"]
    assert facts[0]["skew_us"] == -facts[1]["skew_us"]
    assert [fact["timescale"] for fact in facts] == ["utc", "utc"]
    assert [fact["since_report_ms"] for fact in facts] == [None, None]


def test_events_when_meeting_have_the_promised_keys_and_warn_that_nothing_is_proven(
    ntp: str,
) -> None:
    with meeting(ntp) as (one, other):
        assert [code for code, _ in finish_both(one, other)] == [0, 0]

    for peer in (one, other):
        for event in peer.events:
            if event["event"] != "warning":
                assert list(event) == ["event", "t_ms", *KEYS[event["event"]].split()]
        names = [event["event"] for event in peer.events]
        assert names[:4] == ["warning", "clock", "meeting", "appointment"]
        assert "NOT AUTHENTICATED" in peer.events[0]["message"]
        assert of_kind(peer, "clock")[0]["rendezvous"] is None
        assert of_kind(peer, "appointment")[0]["role"] is None
        told = of_kind(peer, "meeting")[0]
        assert (told["authenticated"], told["by"], told["number"]) == (False, "time", 1)
        assert told["wait_us"] > 0
        assert told["instant_us"] == of_kind(peer, "appointment")[0]["instant_us"]


def test_meeting_when_both_have_the_secret_is_proven(ntp: str) -> None:
    env = {"MIDAIR_SECRET": SECRET}
    with meeting(ntp, env, env) as (one, other):
        assert finish_both(one, other, b"x") == ((0, b""), (0, b"x"))

    for peer in (one, other):
        assert of_kind(peer, "warning") == []
        assert of_kind(peer, "meeting")[0]["authenticated"]
        assert SECRET not in peer.said


@pytest.mark.parametrize("theirs", [{"MIDAIR_SECRET": OTHER}, {}], ids=["other", "none"])
def test_meeting_when_secrets_differ_exits_6_on_both_sides(ntp: str, theirs: Environment) -> None:
    with meeting(ntp, {"MIDAIR_SECRET": SECRET}, theirs) as (one, other):
        assert finish_both(one, other, b"mine", b"theirs") == ((6, b""), (6, b""))

    for peer in (one, other):
        assert of_kind(peer, "failed")[0]["verdict"] == "authentication"
        assert of_kind(peer, "connected") == []


def test_meeting_when_a_wall_clock_is_wrong_is_by_ntp_all_the_same(ntp: str) -> None:
    with meeting(ntp, faked("+3.7s"), faked("-41s")) as (one, other):
        assert finish_both(one, other, b"x") == ((0, b""), (0, b"x"))

    offsets = [of_kind(peer, "clock")[0]["ntp"]["offset_us"] for peer in (one, other)]
    assert [round(offset / 1e6, 1) for offset in offsets] == [-3.7, 41.0]


def test_instant_when_it_is_over_is_refused_with_the_corrected_time(ntp: str) -> None:
    with alone(ntp, at="2026-01-01T08:00:00+08:00") as peer:
        assert peer.finish()[0] == 2
        failed = peer.events[-1]

    assert failed["verdict"] == "usage"
    assert failed["message"].startswith("2026-01-01T08:00:00+08:00 is over: it is 20")
    assert "+08:00 now (±" in failed["message"]
    assert "--at next" in failed["hint"]


def test_clock_when_no_server_answers_exits_4_and_names_them() -> None:
    with alone(NO_NTP) as peer:
        assert peer.finish()[0] == 4
        failed = peer.events[-1]

    assert (failed["verdict"], failed["exit"]) == ("clock", 4)
    assert NO_NTP in failed["message"]
    assert "--ntp" in failed["hint"]


def test_clock_when_servers_contradict_each_other_exits_4(ntp: str, tmp_path: Path) -> None:
    with chronyd(tmp_path / "liar", wrong_by="+1h") as liar, alone(ntp, "--ntp", liar) as peer:
        assert peer.finish()[0] == 4
        failed = peer.events[-1]

    assert failed["verdict"] == "clock"
    assert "contradict each other" in failed["message"]


def test_port_when_it_is_in_use_exits_2_before_anything_is_asked() -> None:
    with socket.create_server(("127.0.0.1", free_ports(1))) as server:
        words = ("--port", str(server.getsockname()[1]))
        with alone(NO_NTP, *words) as peer:
            assert peer.finish()[0] == 2

    assert peer.events[-1]["verdict"] == "port_in_use"


def test_host_when_it_is_this_very_host_exits_2() -> None:
    words = ("--port", "1314", "--remote-port", "1314")
    with alone(NO_NTP, *words) as peer:
        assert peer.finish()[0] == 2

    assert "is this host itself" in peer.events[-1]["message"]


@pytest.mark.parametrize(
    ("host", "exit_code", "text"),
    [("a..b", 5, "has no address"), ("224.0.0.1", 2, "is no host's address")],
)
def test_host_when_nobody_can_be_there_is_refused(host: str, exit_code: int, text: str) -> None:
    with alone(NO_NTP, host=host) as peer:
        assert peer.finish()[0] == exit_code

    assert text in peer.events[-1]["message"]


def test_meeting_when_the_partner_does_not_come_exits_5_and_says_what_to_check(ntp: str) -> None:
    with alone(ntp, at=ahead(AHEAD_S)) as peer:
        assert peer.finish()[0] == 5

    # Late, if this host was busy at the instant; here a refusal takes microseconds.
    reasons = ("refused_early", "refused_late", "budget_spent")
    assert of_kind(peer, "missed")[0]["reason"] in reasons
    assert "did not meet us" in peer.events[-1]["message"]
    assert "midair doctor" in peer.events[-1]["hint"]


def test_timeout_when_the_instant_is_later_exits_5(ntp: str) -> None:
    with alone(ntp, "--timeout", "0.5") as peer:
        assert peer.finish()[0] == 5

    assert peer.events[-1]["verdict"] == "timeout"


def test_countdown_when_interrupted_exits_130(ntp: str) -> None:
    with alone(ntp) as peer:
        peer.wait_for("meeting")
        peer.process.send_signal(signal.SIGINT)
        assert peer.finish()[0] == 130

    assert peer.events[-1]["verdict"] == "interrupted"


def test_countdown_when_people_look_on_is_told_in_lines(ntp: str) -> None:
    first = free_ports(2)
    words = ("--at", ahead(7), "--port", str(first), "--remote-port", str(first + 1))
    with Peer("meet", "127.0.0.1", *words, "--ntp", ntp, "--timeout", "4") as peer:
        assert peer.finish()[0] == 5

    assert "midair: NOT AUTHENTICATED" in peer.said.splitlines()[0]
    assert "midair: meeting 127.0.0.1 at 20" in peer.said
    assert "midair: 5 s to go" in peer.said.splitlines()


def test_secret_when_there_is_none_is_asked_for_at_the_terminal_without_showing_it() -> None:
    ours, theirs = pty.openpty()
    words = [str(BIN / "midair"), "meet", "203.0.113.2", "--ntp", NO_NTP]
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "rb") as terminal:
        process = subprocess.Popen(
            # Its standard input is a pipe, as it is for those who use one.
            ["setsid", "--ctty", "--wait", "sh", "-c", 'exec "$0" "$@" </dev/null 2>&1', *words],
            stdin=terminal,
            stdout=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("MIDAIR_")},
        )
        shown = b""
        while b"secret" not in shown:
            shown += screen.read(1024)
        os.write(screen.fileno(), f"{SECRET}\n".encode())
        said, _ = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 4, said  # past the question: no NTP server answers
    assert SECRET.encode() not in shown + said

"""Whole sessions: a real rendezvous and real peers, each its own process, on loopback.

On loopback two SYNs cross only if both processors are inside connect() at once, so a volley
takes some hundred shots and sometimes another attempt: outcomes are asserted, never times.
"""

from __future__ import annotations

import json
import random
import secrets
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from peer.core.code import Code
from peer.io.sockets import claim_ports
from rendezvous.protocol.messages import Reason
from tests.loopback.ports import free_ports
from tests.loopback.programs import BIN, KEYS, PATIENCE_S, Peer, finish_both, pair, rendezvous
from tests.loopback.seats import seat_of


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


@pytest.fixture
def closed_port() -> int:
    return free_ports()


def test_pipe_when_both_sides_send_carries_every_byte(url: str) -> None:
    one_says, other_says = random.Random(1).randbytes(1_000_000), b"short\n"
    with pair(url) as (one, other):
        assert other.wait_for("connected")
        other.send(other_says)
        assert finish_both(one, other, one_says) == ((0, other_says), (0, one_says))
        assert one.events[-1]["event"] == other.events[-1]["event"] == "closed"
        assert (one.events[-1]["sent"], one.events[-1]["received"]) == (1_000_000, 6)


def test_pipe_when_one_side_has_nothing_to_say_both_exit_0(url: str) -> None:
    with pair(url) as (one, other):
        assert finish_both(one, other, b"hi\n") == ((0, b""), (0, b"hi\n"))


def test_pipe_when_a_direction_ended_long_before_the_other_goes_on(url: str) -> None:
    with pair(url) as (one, other):
        other.end_input()
        one.wait_for("connected")
        for word in (b"a", b"b", b"c"):
            one.send(word)
            assert other.process.stdout is not None
            assert other.process.stdout.read(1) == word
        assert finish_both(one, other, b"end") == ((0, b""), (0, b"end"))


def test_json_when_asked_for_is_a_line_an_event_with_the_promised_keys(url: str) -> None:
    with pair(url) as (one, other):
        assert finish_both(one, other, b"x") == ((0, b""), (0, b"x"))

        for peer in (one, other):
            for event in peer.events:
                assert list(event) == ["event", "t_ms", *KEYS[event["event"]].split()]
            times = [event["t_ms"] for event in peer.events]
            assert times == sorted(times)
        assert [e["event"] for e in one.events][:3] == ["code", "waiting", "paired"]
        assert other.events[0]["event"] == "paired"


def test_facts_when_connected_mirror_each_other(url: str) -> None:
    with pair(url) as (one, other):
        facts, theirs = one.wait_for("connected"), other.wait_for("connected")

        assert (facts["local"], facts["remote"]) == (theirs["remote"], theirs["local"])
        assert facts["skew_us"] == -theirs["skew_us"]
        assert {facts["role"], theirs["role"]} == {"initiator", "responder"}
        for key in ("attempt", "pair", "first_shot", "path", "timescale"):
            assert facts[key] == theirs[key]
        assert facts["first_shot"] == (facts["winner_shots"] == theirs["winner_shots"] == 1)
        assert finish_both(one, other) == ((0, b""), (0, b""))


def test_trace_when_a_file_is_named_has_every_event(url: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with pair(url, connect=("--trace", str(trace))) as (one, other):
        assert finish_both(one, other, b"x") == ((0, b""), (0, b"x"))

        assert other.said.startswith("midair: your partner is there")
        events = [json.loads(line)["event"] for line in trace.read_text().splitlines()]
        assert (events[0], events[-1]) == ("paired", "closed")
        assert "connected" in events


def test_trace_when_it_cannot_be_written_exits_2(url: str) -> None:
    with Peer("listen", "--trace", "/no/such/folder/t", url=url) as peer:
        assert peer.finish()[0] == 2
        assert "cannot be written to /no/such/folder/t" in peer.said


def test_command_when_pasted_into_a_shell_connects(url: str) -> None:
    with Peer("listen", "--json", url=url) as one:
        command = one.wait_for("code")["command"]
        assert shlex.split(command)[0] == "midair"
        one.end_input()
        pasted = subprocess.run(
            command,
            shell=True,
            input=b"pasted",
            capture_output=True,
            env={"PATH": f"{BIN}:/usr/bin:/bin"},
            timeout=PATIENCE_S,
            check=False,
        )
        assert pasted.returncode == 0, pasted.stderr
        assert one.finish() == (0, b"pasted")


def test_code_when_its_secret_is_wrong_both_exit_6(url: str) -> None:
    with Peer("listen", "--json", url=url) as one:
        code = Code.parse(one.wait_for("code")["code"])
        wrong = Code(code.nameplate, bytes(2))
        with Peer("connect", str(wrong), url=url) as other:
            assert finish_both(one, other, b"secret", b"secret") == ((6, b""), (6, b""))
            assert "the two codes are not the same" in other.said
            assert one.events[-1]["verdict"] == "authentication"


def test_code_when_both_sides_have_it_already_serves_both(url: str) -> None:
    code = str(Code(str(100_000_000 + secrets.randbelow(10**8)), secrets.token_bytes(2)))
    with Peer("listen", "--json", url=url, env={"MIDAIR_CODE": code}) as one:
        one.wait_for("waiting")
        with Peer("connect", url=url, env={"MIDAIR_CODE": code}) as other:
            assert finish_both(one, other, b"x") == ((0, b""), (0, b"x"))


def test_code_when_it_comes_on_standard_input_leaves_the_rest_for_the_pipe(url: str) -> None:
    with Peer("listen", "--json", url=url) as one:
        code = one.wait_for("code")["code"]
        with Peer("connect", "--code-file", "-", url=url) as other:
            typed = f"{code}\nfor the pipe".encode()
            assert finish_both(one, other, b"", typed) == ((0, b"for the pipe"), (0, b""))


def test_connect_when_its_code_is_none_exits_2_with_a_sentence(url: str) -> None:
    with Peer("connect", "nonsense", url=url) as peer:
        assert peer.finish() == (2, b"")
        assert "that is no code" in peer.said


@pytest.mark.parametrize("text", ["ftp://127.0.0.1", "127.0.0.1:8080", "http://"])
def test_rendezvous_when_its_url_is_none_exits_2(text: str) -> None:
    with Peer("listen", url=text) as peer:
        assert peer.finish() == (2, b"")
        assert "is not the URL of a rendezvous" in peer.said


def test_rendezvous_when_none_is_named_exits_2() -> None:
    with Peer("listen") as peer:
        assert peer.finish() == (2, b"")
        assert "No rendezvous given" in peer.said


def test_local_port_when_in_use_exits_2_before_a_code_is_made(url: str, closed_port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", closed_port))
        with Peer("listen", "--local-port", str(closed_port), "--json", url=url) as one:
            assert one.finish()[0] == 2
            assert [event["event"] for event in one.events] == ["failed"]
            assert f"local port {closed_port}" in one.events[-1]["message"]


async def test_local_port_when_taken_while_waiting_exits_2_and_tells_the_partner(
    url: str, closed_port: int
) -> None:
    with Peer("listen", "--local-port", str(closed_port), "--json", url=url) as one:
        code = one.wait_for("code")["code"]
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", closed_port))
            partner = await seat_of(url, code)
            assert one.finish()[0] == 2
            assert f"local port {closed_port}" in one.events[-1]["message"]
            assert (await partner.wait()).left is Reason.PORT_IN_USE
            await partner.aclose()


def test_local_port_when_used_again_at_once_is_used_again(url: str) -> None:
    first = free_ports()
    for _ in range(2):  # the second time its connection is in TIME_WAIT
        with pair(url, connect=("--json", "--local-port", str(first))) as (one, other):
            facts = other.wait_for("connected")
            assert int(facts["local"].rpartition(":")[2]) in range(first, first + 4)
            assert finish_both(one, other) == ((0, b""), (0, b""))


def test_local_port_when_another_peer_waits_with_it_exits_2(url: str) -> None:
    first = free_ports()
    ports = claim_ports((4,), 4, first)
    try:
        with Peer("listen", "--local-port", str(first), "--json", url=url) as one:
            assert one.finish()[0] == 2
    finally:
        for port in ports:
            port.close()


def test_timeout_when_the_partner_never_comes_exits_5(url: str) -> None:
    with Peer("listen", "--timeout", "0.2", url=url) as peer:
        assert peer.finish() == (5, b"")
        assert "your partner did not come in time" in peer.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_when_waiting_exits_130_and_nobody_can_join(
    url: str, number: signal.Signals
) -> None:
    with Peer("listen", "--json", url=url) as one:
        code = one.wait_for("code")["code"]
        one.process.send_signal(number)
        assert one.finish() == (130, b"")
        assert one.events[-1]["verdict"] == "interrupted"
        with Peer("connect", code, url=url) as other:
            assert other.finish()[0] == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_when_paired_exits_130_and_the_partner_hears_it(
    url: str, number: signal.Signals
) -> None:
    with Peer("listen", "--json", url=url) as one:
        partner = await seat_of(url, one.wait_for("code")["code"])
        one.wait_for("mapping")
        one.process.send_signal(number)
        assert one.finish() == (130, b"")
        assert (await partner.wait()).left is Reason.INTERRUPTED
        await partner.aclose()


def test_signal_when_connected_exits_130_and_the_partner_knows_it_broke(url: str) -> None:
    with pair(url) as (one, other):
        one.wait_for("connected")
        other.wait_for("connected")
        one.process.send_signal(signal.SIGTERM)

        assert one.finish()[0] == 130
        assert other.finish()[0] == 1
        assert "interrupted" in other.events[-1]["message"]


def test_standard_input_when_closed_is_empty(url: str) -> None:
    with Peer("listen", "--json", url=url) as one:
        code = one.wait_for("code")["code"]
        command = [BIN / "midair", "connect", code, "--rendezvous", url, "--ntp", "127.0.0.1:1"]
        one.end_input()
        closed = shlex.join(str(word) for word in command) + " <&-"
        run = subprocess.run(
            closed, shell=True, capture_output=True, timeout=PATIENCE_S, check=False
        )
        assert (run.returncode, run.stdout) == (0, b""), run.stderr
        assert one.finish() == (0, b"")

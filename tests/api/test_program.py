"""``midair-rendezvous`` as a program: what it prints, how it ends, what a restart keeps."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from typing import Any

import httpx
import pytest

from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.errors import Problem, ProblemWord
from rendezvous.protocol.relay import Status, decode_ticket
from tests.api.server import (
    PATIENCE_S,
    PROGRAM,
    Meeting,
    program,
    send_request,
    tokens,
)
from tests.fakes.server import SECRET_A, SECRET_B


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def meet(url: str) -> Meeting:
    with httpx.Client(base_url=url) as client:
        a = client.post("/v1/sessions", json={"version": 1, "secret": SECRET_A}).json()
        meeting = Meeting(a["nameplate"], a["session"])
        client.post(f"{meeting.path}/join", json={"version": 1, "secret": SECRET_B})
    return meeting


def read_response(sock: socket.socket) -> httpx.Response:
    with sock:
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_answers_parked_polls_and_ends_well(number: signal.Signals) -> None:
    with program() as served:
        meeting = meet(served.url)
        body = meeting.attempt("a", "203.0.113.2:30000")
        body["report"]["candidates"] = []
        sockets = [
            send_request(("127.0.0.1", served.port), f"{meeting.path}/attempts/1", body)
            for _ in range(3)
        ]
        # The fourth request is answered after the three before it were read.
        httpx.get(f"{served.url}/livez")
        code, errors = served.end(number)
    assert (code, errors) == (0, "")
    for sock in sockets:
        answer = read_response(sock)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert Problem.model_validate_json(answer.content).word is ProblemWord.GOING_AWAY


def test_signal_with_a_request_that_never_ends_still_ends_well() -> None:
    with program() as served, socket.create_connection(("127.0.0.1", served.port)) as sock:
        head = b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"
        sock.sendall(head.replace(b"host", b"content-type: application/json\r\nhost"))
        httpx.get(f"{served.url}/livez")
        code, errors = served.end()
    assert code == 0
    assert "Traceback" not in errors


def test_second_signal_ends_at_once() -> None:
    with program() as served, socket.create_connection(("127.0.0.1", served.port)) as sock:
        sock.sendall(b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        httpx.get(f"{served.url}/livez")
        served.process.send_signal(signal.SIGTERM)
        # The first has been seen when the listener is gone.
        while True:
            try:
                socket.create_connection(("127.0.0.1", served.port)).close()
            except ConnectionError:  # a listener that closes may also reset
                break
        code, errors = served.end()
    assert code == 128 + signal.SIGTERM
    assert errors == ""


def test_restart_makes_the_seats_again_and_a_shared_key_keeps_tokens() -> None:
    with program() as served:
        meeting = meet(served.url)
        port = served.port
        served.end()
    with (
        program("--port", str(port), MIDAIR_RENDEZVOUS_TOKEN_KEY="k" * 32) as served,
        httpx.Client(base_url=served.url) as client,
    ):
        bodies = {}
        for seat, endpoint in (("b", "203.0.113.2:3000"), ("a", "198.51.100.2:3000")):
            bodies[seat] = body = meeting.attempt(seat, endpoint)
            now_us = client.get("/v1/time").json()["sent_us"]
            token = tokens.mint(Endpoint.parse(endpoint), meeting.session, now_us)
            body["report"]["candidates"][0]["token"] = token
        path = f"{meeting.path}/attempts/1"
        with send_request(("127.0.0.1", served.port), path, bodies["b"]):
            answer = client.post(path, json=bodies["a"], timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text
        assert answer.json()["appointment"]["pairs"][0]["remote"] == "203.0.113.2:3000"
        stranger = meeting.seat("b", wait_us=0) | {"secret": "c" * 64}
        answer = client.post(f"{meeting.path}/wait", json=stranger)
        assert answer.status_code == 403


def test_tokens_of_before_a_restart_are_stale_without_a_shared_key() -> None:
    with program() as served:
        meeting = meet(served.url)
        body = meeting.attempt("a", "198.51.100.2:3000")
        answer = httpx.post(f"{served.url}{meeting.path}/attempts/1", json=body)
    assert answer.status_code == 412


def test_ready_line_names_the_real_ports() -> None:
    with program("--reflector", "localhost:0") as served:
        assert len(served.reflectors) == 1
        meeting = {"version": 1, "secret": SECRET_A}
        seated = httpx.post(f"{served.url}/v1/sessions", json=meeting).json()
        port = served.reflectors[0].rpartition(":")[2]
        assert seated["reflectors"] == [f"127.0.0.1:{port}"]
    with program("--reflector-public", "198.51.100.1:9") as served:
        seated = httpx.post(f"{served.url}/v1/sessions", json=meeting).json()
        assert seated["reflectors"] == ["198.51.100.1:9"]


def test_ready_line_for_a_person() -> None:
    command = [str(PROGRAM), "--host", "127.0.0.1", "--host", "::1", "--port", "0"]
    command += ["--reflector", "[::1]:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.terminate()
    words = line.split()
    assert words[:3] == ["midair-rendezvous:", "listening", "on"]
    # Port 0 on several hosts is one port.
    port = words[3].removeprefix("http://127.0.0.1:")
    assert words[4:6] == [f"http://[::1]:{port}", "reflectors"]
    assert words[6].startswith("[::1]:")
    relay = words[8].removeprefix("127.0.0.1:")
    assert words[7:] == ["relay", f"127.0.0.1:{relay}", f"[::1]:{relay}"]
    assert process.returncode == 0


def seats(url: str, *, relay: str = "auto") -> list[dict[str, Any]]:
    """Take both seats, each with the wait that tells of the partner; return all four answers."""
    with httpx.Client(base_url=url) as client:
        secrets = {"a": {"secret": SECRET_A}, "b": {"secret": SECRET_B}}
        said = {"version": 1, "relay": relay}
        answers = [client.post("/v1/sessions", json=said | secrets["a"]).json()]
        path = f"/v1/sessions/{answers[0]['nameplate']}"
        answers.append(client.post(f"{path}/join", json=said | secrets["b"]).json())
        for seated in answers[:2]:
            who = {key: seated[key] for key in ("session", "seat")} | secrets[seated["seat"]]
            answers.append(client.post(f"{path}/wait", json=said | who | {"wait_us": 0}).json())
    return answers


def test_relay_is_told_with_its_limits_and_lets_in_both_by_their_tickets() -> None:
    with program("--relay-octets", "1000", "--relay-octets-per-s", "20000") as served:
        a, b, for_a, for_b = seats(served.url)
        assert a["relays"] == b["relays"] == [f"*:{served.relays[0].rpartition(':')[2]}"]
        assert a["relay_limits"] == {"octets": 1000, "octets_per_s": 20000}
        assert (a["partner_relay"], b["partner_relay"], for_a["partner_relay"]) == (
            None,
            "auto",
            "auto",
        )
        host, port = served.relays[0].rsplit(":", 1)
        with (
            socket.create_connection((host, int(port)), PATIENCE_S) as first,
            socket.create_connection((host, int(port)), PATIENCE_S) as second,
        ):
            first.sendall(decode_ticket(for_a["ticket"]))
            assert first.recv(1) == bytes([Status.WAITING])
            second.sendall(decode_ticket(for_b["ticket"]))
            assert (first.recv(1), second.recv(1)) == (bytes([Status.GO]),) * 2
            first.sendall(b"hello")
            assert second.recv(5) == b"hello"
            code, errors = served.end()
            assert second.recv(1) == b""
    assert (code, errors) == (0, "")


def test_relay_that_is_off_is_nowhere_and_gives_no_tickets() -> None:
    with program("--no-relay") as served:
        a, _, for_a, for_b = seats(served.url)
    assert served.relays == []
    assert (a["relays"], a["relay_limits"]) == ([], None)
    assert (for_a["ticket"], for_b["ticket"]) == (None, None)
    with program(MIDAIR_RENDEZVOUS_RELAY_OFF="1") as served:
        assert served.relays == []


def test_relay_gives_no_ticket_to_who_says_never_or_says_nothing() -> None:
    with program() as served:
        _, b, for_a, for_b = seats(served.url, relay="never")
        assert b["partner_relay"] == "never"
        assert (for_a["ticket"], for_b["ticket"]) == (None, None)


def test_relay_where_it_is_told_to_listen_and_what_peers_are_told_instead() -> None:
    public = ("--relay-public", "relay.example:443")
    with program("--relay", "127.0.0.1:0", "--relay", "localhost:0", *public) as served:
        assert len(set(served.relays)) == 2
        assert seats(served.url)[0]["relays"] == ["relay.example:443"]


def test_port_in_use_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--host", "127.0.0.1", "--port", str(port), "--reflector", "127.0.0.1:0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"midair-rendezvous: 127.0.0.1:{port} is in use: "
        "stop what listens there, or choose another port\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "no.such.host.invalid", "--port", "0"),
        ("--host", "192.0.2.77", "--port", "0"),
        ("--reflector", "8081"),
        ("--reflector-public", "host:0"),
        ("--relay", "8083"),
        ("--relay-public", "host:0"),
        ("--relay-pairs", "0"),
        ("--relay-octets-per-s", "1"),
        ("--port", "65536"),
        ("--no-such-option",),
    ],
)
def test_wrong_argument_is_exit_2_in_words(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("midair-rendezvous ")
    assert "--reflector-public" in run("--help").stdout


def test_help_does_not_load_the_server() -> None:
    probe = "import sys, rendezvous.cli; print({'fastapi', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_few_descriptors_are_shared_and_the_server_lives() -> None:
    limited = ("sh", "-c", 'ulimit -n 128; exec "$0" "$@"')  # leaves 16 for each side
    with program(prefix=limited) as served, contextlib.ExitStack() as stack:
        host, port = served.reflectors[0].rsplit(":", 1)
        for _ in range(100):
            stack.enter_context(socket.create_connection((host, int(port))))
        http = [
            stack.enter_context(send_request(("127.0.0.1", served.port), "/nothing", {}))
            for _ in range(100)
        ]
        answer = read_response(http[20])
        assert answer.status_code == 503
        assert Problem.model_validate_json(answer.content).word is ProblemWord.FULL
        stack.close()
        with httpx.Client(base_url=served.url) as client:
            while client.get("/readyz", headers={"connection": "close"}).status_code != 200:
                pass
        code, errors = served.end()
    assert (code, errors) == (0, "")

"""What a connection is for, as real programs with a rendezvous on loopback: both exit codes."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.loopback.ports import free_ports
from tests.loopback.programs import PATIENCE_S, Peer, finish_both, pair, rendezvous


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


@contextmanager
def echoing(path: Path | None = None) -> Iterator[str]:
    """A target that sends back what comes; yields what --forward takes."""
    family = socket.AF_INET if path is None else socket.AF_UNIX
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0) if path is None else str(path))
    listener.listen()

    def echo(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            while data := sock.recv(65_536):
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=echo, args=(near,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"unix:{path}" if path else f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # A close alone does not wake who accepts.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def ask(place: str, data: bytes) -> bytes:
    """Connect, send all, end, and return all that comes back."""
    unix = place.startswith("unix:")
    sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    with sock:
        sock.settimeout(PATIENCE_S)
        host, _, port = place.rpartition(":")
        sock.connect(port if unix else (host, int(port)))
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while piece := sock.recv(65_536):
            got += piece
    return got


def last(peer: Peer) -> str:
    """What a peer that failed told last."""
    assert peer.events[-1]["event"] == "failed"
    return f"{peer.events[-1]['message']}. {peer.events[-1]['hint']}"


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_forward_carries_connections_and_ends_by_ctrl_c(
    url: str, kind: str, tmp_path: Path
) -> None:
    unix = kind == "unix"
    near = f"unix:{tmp_path / 'near'}" if unix else f"127.0.0.1:{free_ports()}"
    with (
        echoing(tmp_path / "target" if unix else None) as target,
        pair(
            url,
            listen=("--json", "--forward", target),
            connect=("--json", "--bind", near),
        ) as (one, other),
    ):
        other.wait_for("forwarding")
        for number in range(20):
            assert ask(near, b"%d" % number * 1000) == b"%d" % number * 1000
        for _ in range(20):
            one.wait_for("forwarded")
            other.wait_for("forwarded")
        other.process.send_signal(signal.SIGINT)
        assert other.finish() == (130, b"")
        assert one.finish() == (0, b"")
        assert one.events[-1]["event"] == "closed"
        assert one.events[-1]["reason"] == "your partner left"
    assert not (tmp_path / "near").exists()


def test_forward_when_its_terminal_is_closed_tells_the_partner(url: str) -> None:
    with (
        echoing() as target,
        pair(
            url,
            listen=("--json", "--forward", target),
            connect=("--json", "--bind", f"127.0.0.1:{free_ports()}"),
        ) as (one, other),
    ):
        other.wait_for("forwarding")
        one.wait_for("forwarding")
        one.process.send_signal(signal.SIGHUP)
        assert one.finish() == (130, b"")
        assert other.finish() == (0, b"")


def test_pipe_when_ssh_hangs_up_goes_on_to_the_end_of_its_input(url: str) -> None:
    with pair(url) as (one, other):
        other.send(b"before")
        assert one.process.stdout is not None
        assert one.process.stdout.read(6) == b"before"
        other.process.send_signal(signal.SIGHUP)
        assert finish_both(one, other, b"", b" and after") == ((0, b" and after"), (0, b""))


def test_forward_when_the_target_refuses_the_client_is_closed_cleanly(url: str) -> None:
    near = f"127.0.0.1:{free_ports()}"
    with pair(
        url,
        listen=("--json", "--forward", f"127.0.0.1:{free_ports()}"),
        connect=("--json", "--bind", near),
    ) as (_, other):
        other.wait_for("forwarding")
        assert ask(near, b"") == b""
        assert "Connection refused" in other.wait_for("forwarded")["reason"]


def test_forward_when_a_place_is_asked_for_only_allowed_ones_work(url: str) -> None:
    nears = [f"127.0.0.1:{free_ports()}" for _ in range(2)]
    with echoing() as target, echoing() as secret:
        for asked, answer, near in ((target, b"hi", nears[0]), (secret, b"", nears[1])):
            with pair(
                url,
                listen=("--json", "--allow", target),
                connect=("--json", "--bind", near, "--to", asked),
            ) as (_, other):
                other.wait_for("forwarding")
                assert ask(near, b"hi") == answer


def test_forward_when_the_partner_is_killed_breaks_what_is_open_and_exits_1(url: str) -> None:
    near = free_ports()
    with (
        echoing() as target,
        pair(
            url,
            listen=("--json", "--forward", target),
            connect=("--json", "--bind", f"127.0.0.1:{near}"),
        ) as (one, other),
    ):
        other.wait_for("forwarding")
        with socket.create_connection(("127.0.0.1", near), timeout=PATIENCE_S) as sock:
            sock.sendall(b"hi")
            assert sock.recv(2) == b"hi"
            one.process.kill()
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        assert other.finish()[0] == 1


def test_pipe_that_meets_a_forward_is_one_connection_to_its_target(url: str) -> None:
    data = b"SSH-2.0-hello\r\n" * 10_000
    with (
        echoing() as target,
        pair(url, listen=("--json", "--forward", target)) as (one, other),
    ):
        assert finish_both(one, other, b"", data) == ((0, b""), (0, data))
        assert one.events[-1]["reason"] == "done"


def test_pipe_that_meets_a_forward_whose_target_refuses_says_so(url: str) -> None:
    target = f"127.0.0.1:{free_ports()}"
    with pair(url, listen=("--json", "--forward", target)) as (one, other):
        ends = finish_both(one, other)
        assert ends == ((1, b""), (1, b""))
        assert f"{target}: Connection refused" in last(one)
        assert f"{target}: Connection refused" in last(other)


def test_uses_that_do_not_go_together_end_with_exit_2_on_both_sides(
    url: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"a")
    near = f"127.0.0.1:{free_ports()}"
    with Peer("send", "--json", str(tmp_path / "a"), url=url) as one:
        code = one.wait_for("code")["code"]
        with Peer("connect", code, "--json", url=url) as other:
            assert finish_both(one, other, b"", b"typed too early") == ((2, b""), (2, b""))
            assert "your partner runs a plain pipe" in last(one)
            assert "your partner runs `midair send`" in last(other)
            assert "Run `midair receive` here" in last(other)
    with pair(url, connect=("--json", "--bind", near)) as (one, other):
        assert finish_both(one, other, b"typed too early") == ((2, b""), (2, b""))
        assert "Run `midair listen --forward` here" in last(one)

"""midair's forward through loopback: its rate, its echo, and readers that stand still."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from lab.bench.streams.ends import (
    HOST,
    RECEIVER,
    SENDER,
    Ends,
    Program,
    Way,
    ended,
    free_port,
    heard,
    midair,
    peaks_mb,
    run,
)

STUCK = 70
"""Connections whose readers stand still: more than midair carries at once."""
ECHOES, ECHO_OCTETS = 500, 64
_PIECE = bytes(64 * 1024)
_STILL_S = 1.0
"""Nothing has moved for so long: everybody stands still."""


@dataclass(frozen=True, slots=True)
class Forward:
    """A forward that runs."""

    target: socket.socket
    """Listens."""
    port: int
    """Of loopback, that leads there."""
    programs: tuple[Program, Program]


@contextlib.contextmanager
def forward(url: str) -> Iterator[Forward]:
    """Run midair's forward.

    Args:
        url: of the rendezvous.
    """
    port = free_port()
    with socket.create_server((HOST, 0), backlog=STUCK) as target:
        to = f"{HOST}:{target.getsockname()[1]}"
        serving = run(RECEIVER, midair("listen", url, "--forward", to), stderr=subprocess.PIPE)
        with ended([serving]) as programs:
            code = heard(serving, "code")
            bind = midair("connect", url, "--bind", f"{HOST}:{port}", code)
            binding = run(SENDER, bind, stderr=subprocess.PIPE)
            programs.append(binding)
            heard(binding, "forwarding")
            yield Forward(target, port, (serving, binding))


def forward_way(url: str) -> Way:
    """Return the forward as a way: a source that connects, a sink that accepts.

    Args:
        url: of the rendezvous.
    """

    @contextlib.contextmanager
    def way(octets: int) -> Iterator[Ends]:
        with forward(url) as running:
            # bash opens the connection; what head then writes goes straight into it.
            line = f"exec head -c {octets} /dev/zero >/dev/tcp/{HOST}/{running.port}"
            with ended([run(None, ["bash", "-c", line])]):
                sink, _ = running.target.accept()
                with sink:
                    yield Ends(sink.fileno(), running.programs)

    return way


def echoes_ms(running: Forward) -> list[float]:
    """Measure round trips of a small message, one after the other.

    Args:
        running: the forward.

    Returns:
        Each one's duration.
    """
    with socket.create_connection((HOST, running.port)) as near:
        far, _ = running.target.accept()
        with far:
            for sock in (near, far):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return [_echo_ms(near, far) for _ in range(ECHOES)]


def _echo_ms(near: socket.socket, far: socket.socket) -> float:
    begun_s = time.perf_counter()
    near.sendall(bytes(ECHO_OCTETS))
    far.sendall(far.recv(ECHO_OCTETS, socket.MSG_WAITALL))
    near.recv(ECHO_OCTETS, socket.MSG_WAITALL)
    return (time.perf_counter() - begun_s) * 1e3


def stuck_mb(running: Forward) -> float:
    """Send into connections that nobody reads until nothing moves any more.

    Args:
        running: the forward.

    Returns:
        The greatest memory of either program.
    """
    with contextlib.ExitStack() as stack:
        senders = [
            stack.enter_context(socket.create_connection((HOST, running.port)))
            for _ in range(STUCK)
        ]
        for sender in senders:
            sender.setblocking(False)
        moved_s = time.monotonic()
        while time.monotonic() - moved_s < _STILL_S:
            if any([_send(sender) for sender in senders]):
                moved_s = time.monotonic()
            else:
                time.sleep(0.01)
        return peaks_mb(running.programs)


def _send(sock: socket.socket) -> int:
    try:
        return sock.send(_PIECE)
    except BlockingIOError:
        return 0

"""What the experiments teach (docs/experiments.md), at work in the peer, on real sockets.

Only what no other test shows; the document lists those.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest

from peer.core.greeting import GreetingDecoder, Hello
from peer.core.trace import VolleyDone
from peer.io.sockets import LocalPort, claim_ports, endpoint_of
from rendezvous.protocol.messages import AttemptResult, Reason
from tests.loopback.faults.peer.test_itself import keep
from tests.loopback.test_fire import Volley, aim

LOOPBACK = "127.0.0.1"
PATIENCE_S = 60


@pytest.fixture
def port() -> Iterator[LocalPort]:
    """One claimed port."""
    [claimed] = claim_ports((4,), 1, None)
    yield claimed
    claimed.close()


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server((LOOPBACK, 0)) as server:
        server.settimeout(PATIENCE_S)
        yield server


def call(sock: socket.socket, server: socket.socket) -> socket.socket:
    """Connect a socket, and return the far end."""
    sock.settimeout(PATIENCE_S)
    sock.connect(server.getsockname())
    return server.accept()[0]


def test_port_when_siblings_and_volley_call_different_remotes_keeps_them_apart(
    port: LocalPort,
) -> None:
    """One port, many peers: two connections to the reflector and the one that is wanted."""
    with listening() as one, listening() as other, listening() as partner:
        ends = [
            (port.sibling(), one),
            (port.sibling(), other),
            (port.volley, partner),
        ]
        with contextlib.ExitStack() as stack:
            for number, (sock, server) in enumerate(ends):
                far = stack.enter_context(call(sock, server))
                assert far.getpeername() == (LOOPBACK, port.port)
                far.send(b"%d" % number)
            assert [sock.recv(9) for sock, _ in ends] == [b"0", b"1", b"2"]


def test_port_when_a_sibling_calls_the_same_remote_again_is_refused(port: LocalPort) -> None:
    with listening() as server:
        call(port.sibling(), server).close()
        with pytest.raises(OSError, match="Cannot assign requested address") as caught:
            port.sibling().connect(server.getsockname())

    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_sibling_when_closed_is_dissolved_by_a_reset_and_frees_the_port(port: LocalPort) -> None:
    """Nothing of it is remembered: the next attempt may claim the port at once."""
    with listening() as server:
        far = call(port.sibling(), server)
        port.close_siblings()
        with far, pytest.raises(ConnectionResetError):
            far.recv(1)
        port.close()
        # Without SO_REUSEADDR: a TIME_WAIT would be in the way.
        with socket.socket() as plain:
            plain.bind((LOOPBACK, port.port))


def test_shot_when_refused_is_fired_again_from_the_same_socket_and_port(port: LocalPort) -> None:
    """A socket that was refused is used again, as one whose connection was dissolved."""
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        target = endpoint_of(server)
        descriptor = port.volley.fileno()
        with Volley([aim(port, target)], budget=100_000) as volley:
            while not volley.thread.rule.refusals:
                pass
            server.listen()
            assert volley.has_opened.wait(PATIENCE_S)
        far, caller = server.accept()
        far.close()

    assert caller == (LOOPBACK, port.port)
    assert port.volley.fileno() == descriptor
    assert volley.opened[0][1] > 1


def test_ports_when_claimed_again_and_again_cannot_be_guessed_from_the_last_ones() -> None:
    drawn: list[int] = []
    for _ in range(50):
        claims = claim_ports((4,), 4, None)
        drawn += [claim.port for claim in claims]
        for claim in claims:
            claim.close()
    steps = [after - before for before, after in pairwise(drawn)]

    # Of 200 draws out of some 27,000 about one is a port that came before, and no step is a habit.
    assert len(set(drawn)) > 180
    assert max(steps.count(step) for step in steps) < 10


async def test_connection_when_nobody_accepts_it_is_nobody_and_is_told_nothing() -> None:
    """The far kernel completes the handshake and acknowledges the hello: that is no partner."""
    claims = claim_ports((4,), 1, None)
    with listening() as server:
        try:
            outcome, trace = await keep(claims, [server.getsockname()[1]])
            far, _ = server.accept()
            with far:
                heard = far.recv(4096)
        finally:
            for claim in claims:
                claim.close()
    decoder = GreetingDecoder()
    decoder.feed(heard)

    assert isinstance(outcome, AttemptResult)
    assert outcome.reason is Reason.NOT_SELECTED
    assert VolleyDone(1, shots=1, refusals=0) in trace
    assert isinstance(decoder.next(), Hello)
    assert decoder.next() is None

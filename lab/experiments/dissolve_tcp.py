"""``connect(AF_UNSPEC)`` on TCP: the scenes of the experiment ``dissolve`` that end connections."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from lab.diagram.ladder import Flight, Lane
from lab.diagram.model import Kind
from lab.experiments.calls import LOVE, PATIENCE_S, connect, dissolve, hear, outcome, show
from lab.experiments.record import Recorder
from lab.experiments.report import Check, Scene
from lab.experiments.room import Room
from lab.packets import Flags

HOST = "127.0.0.1"
ROOM = "host"
BOUND = (HOST, 1314)
PEERS = [(HOST, 8001), (HOST, 8002), (HOST, 8003)]


class Cast:
    """A room with one client and three listeners."""

    def __init__(self, room: Room, stack: ExitStack) -> None:
        self.room = room
        self._stack = stack
        self._listeners = {}
        for end in PEERS:
            listener = stack.enter_context(room.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(end)
            listener.listen(0)
            listener.settimeout(PATIENCE_S)
            self._listeners[end] = listener

    def client(self, *, bound: bool) -> socket.socket:
        """Open the client's socket."""
        sock = self._stack.enter_context(self.room.socket())
        if bound:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(BOUND)
        return sock

    def accept(self, end: tuple[str, int]) -> socket.socket:
        """Accept the client at one of the listeners."""
        return self._stack.enter_context(self._listeners[end].accept()[0])

    @staticmethod
    def lanes(count: int, detail: str = show(BOUND)) -> list[Lane]:
        """Return the client's lane and those of so many listeners."""
        peers = [
            Lane(f"peer {number}", show(end), ROOM, frozenset({end}))
            for number, end in enumerate(PEERS[:count], start=1)
        ]
        return [Lane("one socket", detail, ROOM), *peers]


def reused(cast: Cast, *, bound: bool) -> tuple[Scene, list[Check]]:
    """Connect one socket to three peers, one after the other."""
    name = "bound port" if bound else "port chosen by the kernel"
    ports, told = [], []
    with Recorder(f"One socket, three connections: a {name}", {ROOM: cast.room}) as record:
        client = cast.client(bound=bound)
        number = client.fileno()
        for end in PEERS:
            answer = connect(client, end)
            ports.append(client.getsockname()[1])
            peer = cast.accept(end)
            record.note(0, "connect(AF_UNSPEC)")
            dissolve(client)
            told.append(outcome(partial(peer.recv, 1)))
            record.did(
                f"connect({show(end)}) from port {ports[-1]}: {answer}; connect(AF_UNSPEC); the "
                f"peer's recv(): {told[-1]}; getsockname(): {show(client.getsockname())}"
            )
        same = client.fileno() == number
        record.settle()
        scene = record.scene(
            Cast.lanes(3, show(BOUND) if bound else "a port by the kernel"), pictured=bound
        )
    resets = _from_client(scene, Kind.RST)
    kept = len(set(ports)) == 1
    return scene, [
        Check(
            f"{name}: each time a RST leaves, and the peer is told ECONNRESET",
            f"{len(resets)} RST; {', '.join(told)}",
            [f.target for f in resets] == [1, 2, 3] and set(told) == {"ECONNRESET"},
        ),
        Check(
            f"{name}: the socket is used again, and "
            + ("keeps its port" if bound else "gets another port"),
            f"descriptor {number}, ports {', '.join(map(str, ports))}",
            same and kept is bound,
        ),
    ]


def unread(cast: Cast) -> tuple[Scene, list[Check]]:
    """Dissolve a connection whose peer has said something that nobody has read."""
    with Recorder("Unread data is lost", {ROOM: cast.room}) as record:
        client = cast.client(bound=True)
        connect(client, PEERS[0])
        peer = cast.accept(PEERS[0])
        peer.sendall(LOVE.encode())
        record.wait_until(lambda: _waiting(client) == len(LOVE))
        record.settle()
        waiting = _waiting(client)
        record.note(0, "connect(AF_UNSPEC)")
        dissolve(client)
        ours, theirs = outcome(lambda: client.recv(99)), outcome(lambda: peer.recv(1))
        record.note(0, f"recv(): {ours}", failed=True)
        record.note(1, f"recv(): {theirs}", failed=True)
        record.did(
            f"the peer: send({LOVE!r}); {waiting} bytes wait unread; connect(AF_UNSPEC); then "
            f"recv(): {ours}, and the peer's recv(): {theirs}"
        )
        record.settle()
        scene = record.scene(Cast.lanes(1), quotes=[LOVE])
    acknowledged = [f.ack for f in _from_client(scene, Kind.ACK)][-1:]
    return scene, [
        Check(
            "unread data: the kernel had acknowledged it, and nobody will ever read it",
            f"acknowledged up to {acknowledged[0]}, {waiting} bytes waiting, recv(): {ours}",
            acknowledged == [1 + len(LOVE)] and waiting == len(LOVE) and ours == "ECONNRESET",
        ),
        Check("unread data: the peer learns only that it broke", theirs, theirs == "ECONNRESET"),
    ]


def after_fin(cast: Cast) -> tuple[Scene, list[Check]]:
    """Dissolve a connection after having read all of it, up to the peer's FIN."""
    with Recorder("After the peer's FIN nothing is lost", {ROOM: cast.room}) as record:
        client = cast.client(bound=True)
        connect(client, PEERS[0])
        peer = cast.accept(PEERS[0])
        peer.sendall(LOVE.encode())
        peer.close()
        heard, end = hear(client, len(LOVE)).decode(), client.recv(1)
        record.wait_until(lambda: _fin_is_acknowledged(record))
        states = [e.state for e in record.look("read to the end") if e.local == BOUND]
        record.note(0, "connect(AF_UNSPEC)")
        dissolve(client)
        left = [e for e in record.look("dissolved") if e.state != "LISTEN"]
        again = connect(client, PEERS[1])
        second = cast.accept(PEERS[1])
        record.did(
            f"the peer: send({LOVE!r}), close(); recv(): {heard!r}, then the end {end!r}; "
            f"connect(AF_UNSPEC); connect({show(PEERS[1])}): {again}"
        )
        record.settle()
        scene = record.scene(Cast.lanes(2), quotes=[LOVE])
        second.close()
    return scene, [
        Check(
            "after FIN: everything was read before, and neither end keeps anything",
            f"{heard!r}; {', '.join(states)} before, {len(left)} sockets after",
            heard == LOVE and end == b"" and states == ["CLOSE-WAIT"] and not left,
        ),
        Check(
            "after FIN: the socket connects again from its port at once, no TIME-WAIT",
            f"connect({show(PEERS[1])}): {again}",
            again == "0" and _from_client(scene, Kind.SYN)[-1].flow == (BOUND, PEERS[1]),
        ),
    ]


def pending(cast: Cast) -> tuple[Scene, list[Check]]:
    """Dissolve a call that nobody has answered: the listener's queue is full, it drops the SYN."""
    with ExitStack() as stack:
        filler = stack.enter_context(cast.room.socket())
        connect(filler, PEERS[0])
        with Recorder("A call that nobody has answered", {ROOM: cast.room}) as record:
            client = cast.client(bound=True)
            client.setblocking(False)
            first = connect(client, PEERS[0])
            record.settle()
            states = [e.state for e in record.look("unanswered") if e.local == BOUND]
            record.note(0, "connect(AF_UNSPEC)")
            dissolve(client)
            record.settle()
            before = len(record.packets(ROOM))
            client.setblocking(True)
            again = connect(client, PEERS[1])
            record.did(
                f"connect({show(PEERS[0])}): {first} ({', '.join(states)}); connect(AF_UNSPEC); "
                f"connect({show(PEERS[1])}): {again}"
            )
            record.settle()
            scene = record.scene(Cast.lanes(2), pictured=False)
    return scene, [
        Check(
            "a pending call: nobody is told that it is over, and the socket is free",
            f"{before // 2} packet (the SYN) before the next connect(): {again}",
            before == 2 and first == "EINPROGRESS" and states == ["SYN-SENT"] and again == "0",
        )
    ]


def _from_client(scene: Scene, kind: Kind) -> Sequence[Flight]:
    return [f for f in scene.ladder.flights if f.source == 0 and f.kind is kind]


def _waiting(sock: socket.socket) -> int:
    return int(struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0])


def _fin_is_acknowledged(record: Recorder) -> bool:
    """Tell whether the peer's FIN has its ACK: until then its close() is not over."""
    sent = [packet.tcp for packet in record.packets(ROOM) if packet.tcp]
    fins = [tcp for tcp in sent if tcp.flags & Flags.FIN]
    ends = {tcp.sequence + tcp.payload_length + 1 for tcp in fins}
    return any(tcp.acknowledgement in ends for tcp in sent)

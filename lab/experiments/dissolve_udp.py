"""``connect(AF_UNSPEC)`` on UDP: a scene of the experiment ``dissolve``."""

from __future__ import annotations

import contextlib
import socket

from lab.diagram.ladder import Lane
from lab.experiments.calls import connect, dissolve, outcome, show
from lab.experiments.record import Recorder
from lab.experiments.report import Check, Scene
from lab.experiments.room import Room
from lab.packets import Endpoint

HOST = "127.0.0.1"
ROOM = "host"
BOUND, PEER, STRANGER = (HOST, 1314), (HOST, 9001), (HOST, 9002)
_LANES = [
    Lane("one socket", show(BOUND), ROOM, frozenset({BOUND})),
    Lane("peer", show(PEER), ROOM, frozenset({PEER})),
    Lane("stranger", show(STRANGER), ROOM, frozenset({STRANGER})),
]
_PATIENCE_S = 0.1
"""A datagram on loopback is there when send() returns, or never."""


def udp(room: Room) -> tuple[Scene, list[Check]]:
    """Dissolve an association: who may send to the socket before, and who after."""
    with (
        Recorder("The same on UDP", {ROOM: room}) as record,
        room.socket(socket.SOCK_DGRAM) as sock,
        room.socket(socket.SOCK_DGRAM) as peer,
        room.socket(socket.SOCK_DGRAM) as stranger,
    ):
        _bind({BOUND: sock, PEER: peer, STRANGER: stranger})
        connect(sock, PEER)
        peer.sendto(b"from the peer", BOUND)
        stranger.sendto(b"from a stranger", BOUND)
        before = _hear_all(sock)
        peer.sendto(b"unread", BOUND)
        silent = _dissolve_silently(record, sock)
        association = outcome(sock.getpeername)
        stranger.sendto(b"from a stranger", BOUND)
        after = _hear_all(sock)
        record.did(
            f"bind({show(BOUND)}), connect({show(PEER)}); both peer and stranger send: heard "
            f"{before}; the peer sends once more; connect(AF_UNSPEC): getpeername() is "
            f"{association}, getsockname() {show(sock.getsockname())}; the stranger again: "
            f"heard {after}"
        )
        port, given = sock.getsockname(), _implicit(room)
        record.did(f"with a port by the kernel: {given[0]} while connected, {given[1]} afterwards")
        record.settle()
        scene = record.scene(_LANES, quotes=["from the peer", "from a stranger", "unread"])
    only = Check(
        "UDP: only the association goes: no packet, no data; anybody may send again",
        f"heard {before} before, {after} after; getpeername(): {association}; "
        f"{'no' if silent else 'a'} packet by connect(AF_UNSPEC)",
        before == ["from the peer"]
        and after == ["unread", "from a stranger"]
        and silent
        and association == "ENOTCONN",
    )
    return scene, [only, _ports(port, given)]


def _ports(bound: Endpoint, implicit: tuple[int, int]) -> Check:
    return Check(
        "UDP: a bound port stays, one by the kernel is given up at once",
        f"{show(bound)}; {implicit[0]}, then {implicit[1]}",
        bound == BOUND and implicit[0] != 0 and implicit[1] == 0,
    )


def _dissolve_silently(record: Recorder, sock: socket.socket) -> bool:
    """Dissolve the association, and tell whether that took no packet."""
    count = len(record.packets(ROOM))
    record.note(0, "connect(AF_UNSPEC)")
    dissolve(sock)
    return len(record.packets(ROOM)) == count


def _bind(sockets: dict[Endpoint, socket.socket]) -> None:
    for end, sock in sockets.items():
        sock.bind(end)
        sock.settimeout(_PATIENCE_S)


def _hear_all(sock: socket.socket) -> list[str]:
    heard = []
    with contextlib.suppress(TimeoutError):
        while True:
            heard.append(sock.recv(99).decode())
    return heard


def _implicit(room: Room) -> tuple[int, int]:
    """Return the port that a socket has that never was bound: connected, and dissolved."""
    with room.socket(socket.SOCK_DGRAM) as sock:
        connect(sock, PEER)
        connected = int(sock.getsockname()[1])
        dissolve(sock)
        return connected, int(sock.getsockname()[1])

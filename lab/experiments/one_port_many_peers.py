"""Several connections from one local port, told apart by their other ends."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from lab.diagram.ladder import Lane
from lab.experiments.calls import close_by_reset, connect, hear, outcome, show
from lab.experiments.kernel import Entry
from lab.experiments.record import Recorder
from lab.experiments.report import Check, Report, Scene
from lab.experiments.room import Room

TITLE = "One local port, several peers"
CLAIM = (
    "A connection is known by both its ends, so several of them may leave from one local address "
    "and port, if their remote ends differ and each socket says so before it binds. The same "
    "remote end twice is EADDRNOTAVAIL, one socket connected twice is EISCONN."
)
LESSON = (
    "The kernel finds a packet's socket by protocol, both addresses and both ports. bind() refuses "
    "a port that another socket has, unless both have set SO_REUSEADDR (or SO_REUSEPORT): then "
    "connect() checks what matters, that no two connections have both ends in common. midair "
    "lives on this: from the very port that will fire it has already connected to the reflector, "
    "which tells it what the NAT makes of that port, and whose connection keeps the NAT's mapping."
)
ROOM = "host"
LOCAL = ("127.0.0.1", 1314)
REMOTES = {
    "peer 1": ("127.0.0.1", 8001),
    "peer 2": ("127.0.0.1", 8002),
    "peer 3": ("127.0.0.2", 8001),
}
"""The second differs in its port only, the third in its address only."""
_OPTIONS = {"SO_REUSEPORT": socket.SO_REUSEPORT, "SO_REUSEADDR": socket.SO_REUSEADDR}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of the calls with one option."""

    connected: dict[str, str]
    heard: dict[str, str]
    entries: Sequence[Entry]
    same_remote: str
    same_socket: str
    without: str


def run() -> Report:
    """Run the experiment."""
    scenes, checks = [], []
    for name, option in _OPTIONS.items():
        with Room(ROOM) as room, ExitStack() as stack:
            listeners = {peer: _listener(room, end, stack) for peer, end in REMOTES.items()}
            with Recorder(f"With {name}", {ROOM: room}) as record:
                found = _many(room, record, name, option, listeners, stack)
                record.settle()
                scene = record.scene(_LANES, quotes=REMOTES, pictured=option == socket.SO_REUSEPORT)
        scenes.append(scene)
        checks += _checks(name, found, scene)
    return Report(
        name="one-port-many-peers",
        title=TITLE,
        claim=CLAIM,
        scenes=tuple(scenes),
        checks=tuple(checks),
        lesson=LESSON,
    )


_LANES = [
    Lane("peer 1", show(REMOTES["peer 1"]), ROOM, frozenset({REMOTES["peer 1"]})),
    Lane("one port", show(LOCAL), ROOM, frozenset({LOCAL}), states=False),
    Lane("peer 2", show(REMOTES["peer 2"]), ROOM, frozenset({REMOTES["peer 2"]})),
    Lane("peer 3", show(REMOTES["peer 3"]), ROOM, frozenset({REMOTES["peer 3"]})),
]


def _listener(room: Room, end: tuple[str, int], stack: ExitStack) -> socket.socket:
    listener = stack.enter_context(room.socket())
    listener.bind(end)
    listener.listen()
    return listener


def _many(
    room: Room,
    record: Recorder,
    name: str,
    option: int,
    listeners: dict[str, socket.socket],
    stack: ExitStack,
) -> Outcomes:
    def bound() -> socket.socket:
        sock = room.socket()
        stack.callback(close_by_reset, sock)
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.bind(LOCAL)
        return sock

    connected, heard, socks = {}, {}, []
    for peer, end in REMOTES.items():
        socks.append(bound())
        connected[peer] = connect(socks[-1], end)
        record.did(f"{name}, bind({show(LOCAL)}), connect({show(end)}): {connected[peer]}")
        served = stack.enter_context(listeners[peer].accept()[0])
        served.sendall(peer.encode())
        heard[peer] = hear(socks[-1], len(peer)).decode()
    record.did(f"each is told who is at the other end: {', '.join(heard.values())}")
    entries = record.look("all are connected")
    first = REMOTES["peer 1"]
    same_remote = connect(bound(), first)
    record.note(1, f"a 4th socket, connect(peer 1): {same_remote}", failed=True)
    record.did(f"a fourth socket on the port, connect({show(first)}) as the first: {same_remote}")
    same_socket = connect(socks[0], REMOTES["peer 2"])
    record.note(1, f"the 1st again, connect(peer 2): {same_socket}", failed=True)
    record.did(f"the first socket again, connect({show(REMOTES['peer 2'])}): {same_socket}")
    with room.socket() as plain:
        without = outcome(lambda: plain.bind(LOCAL))
    record.note(1, f"without the option, bind(): {without}", failed=True)
    record.did(f"a socket without the option, bind({show(LOCAL)}): {without}")
    return Outcomes(connected, heard, entries, same_remote, same_socket, without)


def _checks(name: str, found: Outcomes, scene: Scene) -> list[Check]:
    ours = [
        (e.local, e.remote) for e in found.entries if e.local == LOCAL and e.state == "ESTABLISHED"
    ]
    opened = [f.flow[1] for f in scene.ladder.flights if f.flags == "SYN"]
    return [
        Check(
            f"{name}: one local port, three connections (TCP, both addresses, both ports)",
            ", ".join(f"{show(local)} → {show(remote)}" for local, remote in sorted(ours)),
            set(found.connected.values()) == {"0"}
            and sorted(ours) == sorted((LOCAL, end) for end in REMOTES.values()),
        ),
        Check(
            f"{name}: each carries its own peer's words",
            ", ".join(found.heard.values()),
            all(peer == words for peer, words in found.heard.items()),
        ),
        Check(
            f"{name}: the same remote end twice",
            found.same_remote,
            found.same_remote == errno.errorcode[errno.EADDRNOTAVAIL],
        ),
        Check(
            f"{name}: one socket connected twice",
            found.same_socket,
            found.same_socket == errno.errorcode[errno.EISCONN],
        ),
        Check(
            f"{name}: without it the port is taken",
            found.without,
            found.without == errno.errorcode[errno.EADDRINUSE],
        ),
        Check(
            f"{name}: the capture has three SYNs from the port, and none for what was refused",
            ", ".join(map(show, opened)),
            opened == list(REMOTES.values()),
        ),
    ]

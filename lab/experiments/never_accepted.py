"""A listener that never accepts, and beside it how accepting and closing go in order."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from lab.diagram.ladder import Lane
from lab.diagram.model import Kind
from lab.experiments.calls import LOVE, connect, hear, outcome, result, show
from lab.experiments.kernel import Entry, counters, sockets
from lab.experiments.record import Recorder
from lab.experiments.report import Check, Report, Scene
from lab.experiments.room import Room
from lab.packets import Flags

TITLE = "A listener that never accepts"
CLAIM = (
    "The kernel completes a handshake that no program has accepted: the client is connected and "
    "its data acknowledged, though the connection belongs to no process. When the backlog is full "
    "the next client's SYN is dropped in silence. When the listener ends, all of them are reset."
)
LESSON = (
    "“Connected” and “acknowledged” are words of the far kernel, not of the far program: neither "
    "says that anybody is there. So midair believes a connection only after the far program has "
    "proved who it is, and counts data as delivered only when the far program has said so in the "
    "stream itself. A full backlog looks like a lossy network: no answer, and the SYN again after "
    "a second. Closing in order takes four segments, a FIN and its ACK each way, and whoever "
    "closes first remembers it in TIME-WAIT for a minute."
)
ROOM = "host"
SERVER = ("127.0.0.1", 8001)
BACKLOG = 1
"""Linux holds one connection more than this."""
CLIENTS = [("127.0.0.1", 5001), ("127.0.0.1", 5002), ("127.0.0.1", 5003)]
_LISTENER = Lane("the listener", show(SERVER), ROOM, frozenset({SERVER}), states=False)


def run() -> Report:
    """Run the experiment."""
    found = []
    for play in (_never, _in_order):
        with Room(ROOM) as room, ExitStack() as stack:
            found.append(play(room, stack))
    return Report(
        name="never-accepted",
        title=TITLE,
        claim=CLAIM,
        scenes=tuple(scene for scene, _ in found),
        checks=tuple(check for _, checks in found for check in checks),
        lesson=LESSON,
    )


def _listener(room: Room, stack: ExitStack) -> socket.socket:
    listener = stack.enter_context(room.socket())
    listener.bind(SERVER)
    listener.listen(BACKLOG)
    return listener


def _client(room: Room, stack: ExitStack, end: tuple[str, int]) -> socket.socket:
    client = stack.enter_context(room.socket())
    client.bind(end)
    client.setblocking(False)
    connect(client, SERVER)
    return client


def _never(room: Room, stack: ExitStack) -> tuple[Scene, list[Check]]:
    with Recorder("Nobody accepts", {ROOM: room}) as record:
        listener = _listener(room, stack)
        record.note(len(CLIENTS), f"listen({BACKLOG})")
        clients = [_client(room, stack, end) for end in CLIENTS[:-1]]
        opened = [result(client) for client in clients]
        clients[0].sendall(LOVE.encode())
        record.settle()
        before = counters(room)
        late = _client(room, stack, CLIENTS[-1])
        # Until the third client's kernel has asked a second time, after about a second.
        record.wait_until(lambda: len(_syns(record, CLIENTS[-1])) >= 2)
        waiting = result(late, 0)
        dropped = counters(room)["ListenDrops"] - before["ListenDrops"]
        entries = record.look("nobody has accepted")
        record.did(
            f"bind({show(SERVER)}), listen({BACKLOG}), and no accept(); connect() of three "
            f"clients: {', '.join([*opened, waiting])}; the first one: send({LOVE!r})"
        )
        record.did(f"the kernel's counter ListenDrops has gone up by {dropped}")
        ends = _end(record, listener, [*clients, late])
        after = [entry for entry in sockets(room) if entry.local == SERVER]
        record.settle()
        lanes = [
            Lane(f"client {number}", show(end), ROOM, frozenset({end}))
            for number, end in enumerate(CLIENTS, start=1)
        ]
        scene = record.scene([*lanes, _LISTENER], quotes=[LOVE])
    return scene, [
        *_held(opened, waiting, dropped, entries, scene),
        Check(
            "when the listener ends, a RST reaches each of them",
            f"{', '.join(ends)}; {len(after)} sockets left at the listener's end",
            ends == ["ECONNRESET", "ECONNRESET", "ECONNREFUSED"]
            and not after
            and {f.target for f in scene.ladder.flights if f.kind is Kind.RST} == {0, 1, 2},
        ),
    ]


def _end(record: Recorder, listener: socket.socket, clients: Sequence[socket.socket]) -> list[str]:
    """Close the listener, and return what each client is told."""
    record.note(len(CLIENTS), "close()")
    listener.close()
    *connected, late = clients
    told = []
    for lane, client in enumerate(connected):
        told.append(outcome(partial(client.recv, 1)))
        record.note(lane, f"recv(): {told[-1]}", failed=True)
    # The third client's kernel asks once more, and now there is nobody.
    told.append(result(late))
    record.note(len(connected), f"connect(): {told[-1]}", failed=True)
    record.did(f"close() of the listener; the clients are told {', '.join(told)}")
    return told


def _held(
    opened: Sequence[str], waiting: str, dropped: int, entries: Sequence[Entry], scene: Scene
) -> list[Check]:
    """Check what the kernel did on its own."""
    held = [e for e in entries if e.local == SERVER and e.state == "ESTABLISHED"]
    (queue,) = (entry.unread for entry in entries if entry.state == "LISTEN")
    acks = [f.ack for f in scene.ladder.flights if f.target == 0 and f.kind is Kind.ACK]
    asked = [f for f in scene.ladder.flights if f.source == 2 and f.kind is Kind.SYN]
    answered = [f for f in scene.ladder.flights if f.target == 2 and f.kind is Kind.SYN_ACK]
    return [
        Check(
            "the handshake completes, and the connection belongs to no process",
            f"connect(): {', '.join(opened)}; {len(held)} sockets ESTABLISHED at the listener's "
            f"end, owners {sorted({entry.inode for entry in held})} (inode)",
            list(opened) == ["0", "0"]
            and len(held) == len(opened)
            and all(entry.inode == 0 for entry in held),
        ),
        Check(
            "data is acknowledged, and waits in a socket that nobody has",
            f"acknowledged up to {acks[-1] if acks else 0}; "
            f"{sum(entry.unread for entry in held)} bytes waiting",
            1 + len(LOVE) in acks and sum(entry.unread for entry in held) == len(LOVE),
        ),
        Check(
            f"listen({BACKLOG}) holds {BACKLOG + 1} connections; the next client's SYN is dropped "
            "in silence, sent again, and dropped again",
            f"{queue} in the queue; {len(asked)} SYNs of client 3, {len(answered)} answers, "
            f"{dropped} drops counted; connect(): {waiting}",
            queue == BACKLOG + 1
            and len(asked) >= 2
            and not answered
            and dropped >= 2
            and waiting == "pending",
        ),
    ]


def _syns(record: Recorder, source: tuple[str, int]) -> list[int]:
    return [
        packet.t_ns
        for packet in record.packets(ROOM)
        if packet.tcp
        and packet.direction == "out"
        and packet.tcp.source == source
        and packet.tcp.is_bare_syn
    ]


def _in_order(room: Room, stack: ExitStack) -> tuple[Scene, list[Check]]:
    with Recorder("In order: accept, and close one after the other", {ROOM: room}) as record:
        listener = _listener(room, stack)
        record.note(1, f"listen({BACKLOG})")
        client = _client(room, stack, CLIENTS[0])
        result(client)
        client.setblocking(True)
        served, _ = listener.accept()
        stack.enter_context(served)
        record.note(1, "accept()")
        client.sendall(LOVE.encode())
        heard = hear(served, len(LOVE)).decode()
        entries = record.look("accepted")
        record.settle()
        record.note(0, "close()")
        client.close()
        end = served.recv(1)
        # The ACK of a FIN may wait for data to go with it: 40 ms.
        record.wait_until(lambda: _acknowledges_fin(record))
        record.note(1, "close()")
        served.close()
        record.settle()
        left = [e for e in record.look("both have closed") if e.state != "LISTEN"]
        record.did(
            f"accept(); recv(): {heard!r}; the client: close(); recv(): {end!r}; then close()"
        )
        lanes = [
            Lane("client 1", show(CLIENTS[0]), ROOM, frozenset({CLIENTS[0]})),
            Lane("the listener", show(SERVER), ROOM, frozenset({SERVER})),
        ]
        scene = record.scene(lanes, quotes=[LOVE])
    owned = [entry for entry in entries if entry.state == "ESTABLISHED" and entry.inode]
    return scene, [
        Check(
            "accepted, both ends belong to a process, and the data is heard",
            f"{len(owned)} owned sockets, {heard!r}",
            len(owned) == 2 and heard == LOVE,
        ),
        *_four_segments(scene, left),
    ]


def _four_segments(scene: Scene, left: Sequence[Entry]) -> list[Check]:
    """Check how both ends hung up."""
    last = [(f.source, f.flags) for f in scene.ladder.flights][-4:]
    return [
        Check(
            "closing in order takes four segments: FIN, ACK, FIN, ACK",
            ", ".join(
                f"{'client' if source == 0 else 'listener'}: {flags}" for source, flags in last
            ),
            last == [(0, "FIN·ACK"), (1, "ACK"), (1, "FIN·ACK"), (0, "ACK")],
        ),
        Check(
            "who closes first goes through FIN-WAIT-1, FIN-WAIT-2 to TIME-WAIT, the other through "
            "CLOSE-WAIT and LAST-ACK",
            f"{' → '.join(scene.ladder.states(0))}; {' → '.join(scene.ladder.states(1))}; the "
            f"kernel still shows {', '.join(f'{show(e.local)} {e.state}' for e in left)}",
            scene.ladder.states(0)[-3:] == ["FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
            and scene.ladder.states(1)[-3:] == ["CLOSE-WAIT", "LAST-ACK", "CLOSED"]
            and [(e.local, e.state) for e in left] == [(CLIENTS[0], "TIME-WAIT")],
        ),
    ]


def _acknowledges_fin(record: Recorder) -> bool:
    sent = [packet.tcp for packet in record.packets(ROOM) if packet.tcp]
    ends = {t.sequence + t.payload_length + 1 for t in sent if t.flags & Flags.FIN}
    return any(tcp.acknowledgement in ends for tcp in sent)

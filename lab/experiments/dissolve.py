"""``connect()`` with AF_UNSPEC: a connection is dissolved, its socket used again."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from lab.experiments.calls import close_by_reset, connect, dissolve
from lab.experiments.dissolve_tcp import (
    BOUND,
    PEERS,
    ROOM,
    Cast,
    after_fin,
    pending,
    reused,
    unread,
)
from lab.experiments.dissolve_udp import udp
from lab.experiments.report import Check, Report, Scene
from lab.experiments.room import Room

TITLE = "A connection dissolved, its socket used again"
CLAIM = (
    "connect() to an address of family AF_UNSPEC ends a connection with a RST and leaves the "
    "socket as it was before: it can connect again. A bound port stays; one that the kernel chose "
    "changes. What the peer has sent and nobody has read is lost, so read to the end first. On "
    "UDP only the association goes, without a packet."
)
LESSON = (
    "close() says goodbye in order and remembers for a minute (TIME-WAIT); AF_UNSPEC tears the "
    "connection down: RST, nothing remembered, unread data thrown away. That is right for a "
    "connection that nobody wants, or that was read to its end, and wrong for any other. A socket "
    "that is still calling (SYN-SENT) is freed without a word. midair fires again on the very "
    "socket that was refused, for the same reason: no new socket, no new bind(), the same port."
)
ROUNDS = 1000
"""Of each kind; they take turns, so that a busy moment meets both."""


def run() -> Report:
    """Run the experiment."""
    played = partial(reused, bound=True), partial(reused, bound=False), unread, after_fin, pending
    found = [_play(scene) for scene in played]
    with Room(ROOM) as room:
        found.append(udp(room))
        again_us, anew_us = room.call(_cost)
    cheaper = Check(
        f"a socket used again costs less than close(), socket(), bind() (median of {ROUNDS:,})",
        f"{again_us:.1f} µs against {anew_us:.1f} µs, {anew_us - again_us:.1f} µs saved",
        again_us < anew_us,
    )
    return Report(
        name="dissolve",
        title=TITLE,
        claim=CLAIM,
        scenes=tuple(scene for scene, _ in found),
        checks=(*(check for _, checks in found for check in checks), cheaper),
        lesson=LESSON,
        measures={"reuse_us": again_us, "anew_us": anew_us, "saved_us": anew_us - again_us},
    )


def _play(scene: Callable[[Cast], tuple[Scene, list[Check]]]) -> tuple[Scene, list[Check]]:
    """Give a scene a room of its own: what is left of the one before would be in its tables."""
    with Room(ROOM) as room, ExitStack() as stack:
        return scene(Cast(room, stack))


def _cost() -> tuple[float, float]:
    """Measure what it takes from one connection to being ready for the next.

    Returns:
        Median µs by AF_UNSPEC, and by close() with a RST, socket(), setsockopt() and bind().
    """
    spent: tuple[list[int], list[int]] = ([], [])
    with socket.create_server(PEERS[0]) as listener:
        sock = _bound()
        for turn in range(2 * ROUNDS):
            connect(sock, PEERS[0])
            peer, _ = listener.accept()
            start_ns = time.perf_counter_ns()
            if turn % 2:
                close_by_reset(sock)
                sock = _bound()
            else:
                dissolve(sock)
            spent[turn % 2].append(time.perf_counter_ns() - start_ns)
            peer.close()
        sock.close()
    again, anew = (statistics.median(times) / 1000 for times in spent)
    return again, anew


def _bound() -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(BOUND)
    return sock

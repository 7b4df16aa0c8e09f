"""Measurements of a living lab by UDP: what a path loses and reorders, and whether NTP passes."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.capture import SO_RCVBUFFORCE
from lab.probes import PATIENCE_S, SILENCE_S, Endpoint, family_of, path_round_trip_ms
from lab.topology import Side
from lab.world import World

_PORT = 7104
_BUFFER_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Datagrams:
    """How a row of numbered datagrams arrived."""

    sent: int
    lost: int
    overtaking: int
    """How many arrived before one with a lower number."""


def datagrams(world: World, side: Side, count: int, *, down: bool = False) -> Datagrams:
    """Send numbered datagrams over an access link, up or down, and see which arrive.

    Args:
        world: the lab.
        side: whose access link.
        count: how many.
        down: from the server to the peer, instead of from the peer.
    """
    family, rendezvous, _ = family_of(world)
    kind = socket.SOCK_DGRAM
    server = world.space("rendezvous").call(lambda: socket.socket(family, kind))
    client = world.space(f"peer-{side}").call(lambda: socket.socket(family, kind))
    with server, client:
        server.bind((rendezvous, _PORT))
        client.connect((rendezvous, _PORT))
        for end in (server, client):
            # The default holds 277 datagrams; what it drops is not the path's loss.
            end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER_BYTES)
            end.settimeout(SILENCE_S + path_round_trip_ms(world) / 1000)
        peer = _introduce(client, server)
        if down:
            _send_numbered(lambda data: server.sendto(data, peer), count)
            return _receive_numbered(client, count)
        _send_numbered(client.send, count)
        return _receive_numbered(server, count)


def _introduce(client: socket.socket, server: socket.socket) -> Endpoint:
    """Let the server see the client, however lossy the path."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        client.send(b"hello")
        with contextlib.suppress(TimeoutError):
            return server.recvfrom(64)[1]  # type: ignore[no-any-return]
    raise TimeoutError("no datagram at all came through")


def _send_numbered(send: Callable[[bytes], int], count: int) -> None:
    for number in range(count):
        send(number.to_bytes(4, "big"))


def _receive_numbered(receiver: socket.socket, count: int) -> Datagrams:
    numbers: list[int] = []
    while len(numbers) < count:
        try:
            data = receiver.recv(64)
        except TimeoutError:
            break
        if len(data) == 4:
            numbers.append(int.from_bytes(data, "big"))
    return count_datagrams(numbers, count)


def count_datagrams(numbers: Sequence[int], sent: int) -> Datagrams:
    """Count what is missing and what came early in a row of received numbers."""
    lowest, overtaking = sent, 0
    for number in reversed(numbers):
        overtaking += number > lowest
        lowest = min(lowest, number)
    return Datagrams(sent=sent, lost=sent - len(set(numbers)), overtaking=overtaking)


def ntp_passes(world: World, side: Side) -> bool:
    """Tell whether datagrams to UDP port 123 reach the time server. None may run."""
    family, _, ntp = family_of(world)
    server = world.space("ntp").call(lambda: socket.socket(family, socket.SOCK_DGRAM))
    client = world.space(f"peer-{side}").call(lambda: socket.socket(family, socket.SOCK_DGRAM))
    with server, client:
        server.bind((ntp[0], 123))
        server.settimeout(0.1 + path_round_trip_ms(world) / 1000)
        # A lossy path loses one now and then; that many in a row are a rule.
        for _ in range(1 + 9 * bool(world.spec.side(side).access.up.loss_percent)):
            client.sendto(b"?", (ntp[0], 123))
            with contextlib.suppress(TimeoutError):
                server.recv(64)
                return True
    return False

"""Captures made by hand for ladders: packets with all their bytes, between rooms or within one."""

from __future__ import annotations

import socket
import struct
from collections import defaultdict

from lab.packets import Endpoint, Flags, Packet, parse

ORIGIN_NS = 1_800_000_000_000_000_000
SYN, ACK, RST, PSH, FIN = Flags.SYN, Flags.ACK, Flags.RST, Flags.PSH, Flags.FIN


def _ip(source: str, target: str, protocol: int, body: bytes, number: int) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number, 0, 64, protocol, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(target) + body


class Scene:
    """Collects packets in the captures of some rooms; times are milliseconds."""

    def __init__(self) -> None:
        self._packets: dict[str, list[Packet]] = defaultdict(list)
        self._count = 0

    @property
    def captures(self) -> dict[str, list[Packet]]:
        """What each room's interface saw, by time."""
        return {room: sorted(p, key=lambda one: one.t_ns) for room, p in self._packets.items()}

    def tcp(
        self,
        at_ms: float,
        way: tuple[str, str],
        ends: tuple[Endpoint, Endpoint],
        flags: int,
        numbers: tuple[int, int] = (0, 0),
        *,
        payload: bytes = b"",
        takes_ms: float | None = 1.0,
    ) -> None:
        """Send a segment from room to room; one that takes None never arrives."""
        (source, target), (seq, ack) = ends, numbers
        words = (source[1], target[1], seq, ack, 5 << 4, int(flags), 64_000, 0, 0)
        body = struct.pack("!HHIIBBHHH", *words) + payload
        self._send(at_ms, way, ends, 6, body, takes_ms)

    def udp(
        self, at_ms: float, way: tuple[str, str], ends: tuple[Endpoint, Endpoint], payload: bytes
    ) -> None:
        """Send a datagram."""
        (source, target) = ends
        body = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
        self._send(at_ms, way, ends, 17, body, 1.0)

    def _send(
        self,
        at_ms: float,
        way: tuple[str, str],
        ends: tuple[Endpoint, Endpoint],
        protocol: int,
        body: bytes,
        takes_ms: float | None,
    ) -> None:
        self._count += 1
        raw = _ip(ends[0][0], ends[1][0], protocol, body, self._count)
        for room, direction, late_ms in ((way[0], "out", 0.0), (way[1], "in", takes_ms)):
            if late_ms is not None:
                t_ns = ORIGIN_NS + round((at_ms + late_ms) * 1e6)
                packet = parse(raw, t_ns=t_ns, direction="out" if direction == "out" else "in")
                assert packet is not None
                self._packets[room].append(packet)


A, B = ("192.0.2.1", 1314), ("192.0.2.2", 1314)


def crossing() -> Scene:
    """Two SYNs that cross within 20 ms."""
    scene = Scene()
    for at, way, ends, mine, theirs in (
        (0.0, ("A", "B"), (A, B), 1000, 4_294_967_295),
        (0.1, ("B", "A"), (B, A), 4_294_967_295, 1000),
    ):
        scene.tcp(at, way, ends, SYN, (mine, 0), takes_ms=20)
        answer = (mine, (theirs + 1) % 2**32)
        scene.tcp(20.2 - at, way, ends, SYN | ACK, answer, takes_ms=20)
    data = (1001, 0)
    scene.tcp(45, ("A", "B"), (A, B), PSH | ACK, data, payload=b"I love you.", takes_ms=20)
    return scene


ITSELF = ("127.0.0.1", 1314)


def itself() -> Scene:
    """A socket that is connected with itself."""
    scene = Scene()
    room, ends = ("host", "host"), (ITSELF, ITSELF)
    scene.tcp(0, room, ends, SYN, (500, 0), takes_ms=0.01)
    scene.tcp(0.02, room, ends, SYN | ACK, (500, 501), takes_ms=0.01)
    scene.tcp(0.04, room, ends, PSH | ACK, (501, 501), payload=b"I love you.", takes_ms=0.01)
    return scene


CLIENT, SERVER = ("192.0.2.1", 5001), ("192.0.2.2", 8443)


def forged() -> Scene:
    """A SYN in the server's name reaches the client before the server's answer."""
    scene = Scene()
    there, back = (CLIENT, SERVER), (SERVER, CLIENT)
    scene.tcp(0, ("client", "server"), there, SYN, (1000, 0), takes_ms=20)
    scene.tcp(0.1, ("third", "client"), back, SYN, (7000, 0), takes_ms=20)
    scene.tcp(20, ("server", "client"), back, SYN | ACK, (9_000_000, 1001), takes_ms=20)
    scene.tcp(20.2, ("client", "server"), there, SYN | ACK, (1000, 7001), takes_ms=20)
    scene.tcp(40.3, ("server", "client"), back, RST, (7001, 0), takes_ms=20)
    return scene


TARGET = ("127.0.0.1", 40_200)


def calls(count: int) -> Scene:
    """So many calls, each from another port, to a port on which nobody listens."""
    scene = Scene()
    room = ("host", "host")
    for number in range(count):
        caller = ("127.0.0.1", 40_000 + 2 * number)
        scene.tcp(number, room, (caller, TARGET), SYN, (number, 0), takes_ms=0.01)
        refusal = (0, number + 1)
        scene.tcp(number + 0.02, room, (TARGET, caller), RST | ACK, refusal, takes_ms=0.01)
    return scene

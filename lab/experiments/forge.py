"""A SYN in somebody else's name. It leaves a room of ours and can reach rooms of ours only.

The internet's providers are to drop packets whose source is not their customer's (RFC 2827, BCP
38), and not all do: that is why guides on security speak of it.

Reference: RFC 791, RFC 9293 section 3.1, RFC 1071 (the checksum), raw(7).
"""

from __future__ import annotations

import socket
import struct

from lab.experiments.room import Room
from lab.packets import Endpoint, Flags

_TIME_TO_LIVE, _WINDOW = 64, 64_240
_TCP_WORDS = 5


def send_syn(room: Room, *, source: Endpoint, target: Endpoint, sequence: int) -> None:
    """Send a bare SYN from a room, with any source.

    Args:
        room: that the packet leaves.
        source: whose name it bears.
        target: where it goes.
        sequence: its initial sequence number.
    """
    packet = _ip(source[0], target[0], _syn(source, target, sequence))
    with room.call(
        lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    ) as raw:
        raw.sendto(packet, (target[0], 0))


def _syn(source: Endpoint, target: Endpoint, sequence: int) -> bytes:
    pseudo = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    pseudo += struct.pack("!BBH", 0, socket.IPPROTO_TCP, _TCP_WORDS * 4)

    def header(checksum: int) -> bytes:
        return struct.pack(
            "!HHIIBBHHH",
            source[1],
            target[1],
            sequence,
            0,
            _TCP_WORDS << 4,
            Flags.SYN,
            _WINDOW,
            checksum,
            0,
        )

    return header(_checksum(pseudo + header(0)))


def _ip(source: str, target: str, payload: bytes) -> bytes:
    # Linux fills in the identification and the checksum of the header: raw(7).
    header = struct.pack(
        "!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, _TIME_TO_LIVE, socket.IPPROTO_TCP, 0
    )
    return header + socket.inet_aton(source) + socket.inet_aton(target) + payload


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

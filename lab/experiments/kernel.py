"""What the kernel of a room says of its sockets, and counts. Read, never guessed from packets.

Reference: proc_net_tcp in the kernel's documentation, netstat(8) for the counters' names.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.experiments.room import Room
from lab.packets import Endpoint

STATES = {
    1: "ESTABLISHED",
    2: "SYN-SENT",
    3: "SYN-RECEIVED",
    4: "FIN-WAIT-1",
    5: "FIN-WAIT-2",
    6: "TIME-WAIT",
    7: "CLOSED",
    8: "CLOSE-WAIT",
    9: "LAST-ACK",
    10: "LISTEN",
    11: "CLOSING",
    12: "SYN-RECEIVED",
}
"""<net/tcp_states.h>, by the names of RFC 9293 section 3.3.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A TCP socket in the kernel's table."""

    room: str
    local: Endpoint
    remote: Endpoint
    state: str
    inode: int
    """0: it belongs to no process (or is not a whole socket: SYN-RECEIVED, TIME-WAIT)."""
    unread: int
    """Bytes in its receive queue; of a listener: connections that wait to be accepted."""

    @property
    def flow(self) -> tuple[Endpoint, Endpoint]:
        """Both ends."""
        return self.local, self.remote


def sockets(room: Room) -> list[Entry]:
    """List the TCP sockets of a room that are more than bound."""
    found = []
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):  # a kernel without IPv6
            found += _entries(room.name, room.read(table))
    return found


def _entries(room: str, table: str) -> list[Entry]:
    return [_entry(room, line.split()) for line in table.splitlines()[1:]]


def _entry(room: str, words: list[str]) -> Entry:
    return Entry(
        room=room,
        local=_endpoint(words[1]),
        remote=_endpoint(words[2]),
        state=STATES[int(words[3], 16)],
        inode=int(words[9]),
        unread=int(words[4].partition(":")[2], 16),
    )


def _endpoint(text: str) -> Endpoint:
    """Read an address as the kernel prints it: words of four bytes in this machine's order."""
    digits, _, port = text.partition(":")
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words)), int(port, 16)


def counters(room: Room) -> dict[str, int]:
    """Return the room's counters of TCP (``TcpExt``), as ``nstat`` names them."""
    lines = [line.split() for line in room.read("netstat").splitlines()]
    names, values = (line[1:] for line in lines if line[0] == "TcpExt:")
    return dict(zip(names, map(int, values), strict=True))


def ephemeral_range(room: Room) -> tuple[int, int]:
    """Return the ports that the kernel hands out by itself, first and last."""
    first, last = room.sysctl("net/ipv4/ip_local_port_range").split()
    return int(first), int(last)


class Watch:
    """Keeps every state that some sockets have been seen in.

    By TCP_INFO, which takes a microsecond: the tables take milliseconds, for all that the kernel
    has in them of other rooms.

    Args:
        sockets: by what they are called.
    """

    def __init__(self, sockets: Mapping[str, socket.socket]) -> None:
        self._sockets = sockets
        self.states: dict[str, list[str]] = {name: [] for name in sockets}

    def look(self) -> None:
        """Look now."""
        for name, sock in self._sockets.items():
            # struct tcp_info begins with tcpi_state, one byte (linux/tcp.h).
            state = STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]
            if self.states[name][-1:] != [state]:
                self.states[name].append(state)


def owners(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Say whose each socket is: this program's, another's, or nobody's."""
    own = {_link(path) for path in Path("/proc/self/fd").iterdir()}
    return tuple(
        "nobody"
        if entry.inode == 0
        else "this program"
        if f"socket:[{entry.inode}]" in own
        else "another program"
        for entry in entries
    )


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:  # the folder's own descriptor, closed by now
        return ""

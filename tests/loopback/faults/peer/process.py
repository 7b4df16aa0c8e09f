"""A peer's process, waited for beside what the test does meanwhile, and looked at from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from pathlib import Path
from typing import Any

from peer.io.sockets import ephemeral_range
from rendezvous.protocol.times import US_PER_S
from tests.loopback.programs import Events, Peer

A_LITTLE_S = 0.02
_MARK = "MIDAIR_TEST_MARK"


def marked() -> dict[str, str]:
    """Return a variable for a process and all that it may start, so that they are found again."""
    return {_MARK: secrets.token_hex(8)}


async def event(peer: Peer, name: str) -> dict[str, Any]:
    """Wait for an event."""
    return await asyncio.to_thread(peer.wait_for, name)


async def ended(peer: Peer, data: bytes = b"") -> tuple[int, bytes]:
    """Write the rest of the input and wait for the end; whatever happened, it says no traceback."""
    ending = await asyncio.to_thread(peer.finish, data)
    assert "Traceback" not in peer.said
    return ending


async def volley(appointment: dict[str, Any]) -> None:
    """Wait until a peer is in its volley: a little more than until the instant, by its clock."""
    at_s = (appointment["instant_us"] - appointment["offset_us"]) / US_PER_S
    await asyncio.sleep(max(0, at_s - time.time()) + A_LITTLE_S)


def failure(peer: Peer) -> tuple[str, str]:
    """Return the verdict and the message of a peer that has ended, with ``--json``."""
    last = peer.events[-1]
    assert last["event"] == "failed", peer.events
    return last["verdict"], last["message"]


def happened(events: Events) -> list[str]:
    """Return the events' names."""
    return [one["event"] for one in events]


def local_ports(peer: Peer) -> set[int]:
    """Return the local ports of a running peer: those that it named, and those seen with it."""
    named = [one["local"] for one in peer.events if one["event"] == "mapping"]
    ports = {int(endpoint.rpartition(":")[2]) for local in named for endpoint in local}
    inodes = set()
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for descriptor in Path(f"/proc/{peer.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                inodes.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    # The kernel may give one of the others to somebody else at once.
    first, last = ephemeral_range()
    seen = {port for port, inode in _tcp_sockets() if inode in inodes}
    return ports | {port for port in seen if not first <= port <= last}


def open_sockets(ports: set[int]) -> list[int]:
    """Return on which of these local ports a process still has a socket."""
    # A socket that the kernel alone sees to its end has no inode any more.
    return [port for port, inode in _tcp_sockets() if port in ports and inode != "0"]


def _tcp_sockets() -> list[tuple[int, str]]:
    """Return the local port and the inode of each TCP socket of this network namespace."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            found.append((int(fields[1].rpartition(":")[2], 16), fields[9]))
    return found


def still_running(mark: dict[str, str]) -> list[int]:
    """Return the processes that have this mark."""
    wanted = f"{_MARK}={mark[_MARK]}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                variables = (folder / "environ").read_bytes().split(b"\0")
            except OSError:
                continue  # it has ended meanwhile, or is somebody else's
            if wanted in variables:
                found.append(int(folder.name))
    return found

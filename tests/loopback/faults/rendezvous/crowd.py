"""A thousand clients from many addresses, and what they cost the process that serves them."""

from __future__ import annotations

import json
import os
import resource
import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rendezvous.protocol.messages import MAX_POLL_US
from tests.loopback.faults.rendezvous.exchanges import read_message
from tests.loopback.programs import PATIENCE_S

CLIENTS = 1_000
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 22)]
"""50 connections from each: one address may hold 64."""
REST_S = 2.5


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def at_rest(pid: int) -> int:
    """Wait until a server has closed what earlier clients have left; returns what is open then.

    Of those limits the longest is two seconds (``SHORT`` in ``test_vanish``).
    """
    now = descriptors(pid)
    since, ends = time.monotonic(), time.monotonic() + PATIENCE_S
    while time.monotonic() < since + REST_S:
        assert time.monotonic() < ends, "it never came to rest"
        time.sleep(0.02)
        if (count := descriptors(pid)) != now:
            now, since = count, time.monotonic()
    return now


def resident_kb(pid: int) -> int:
    """Return how much memory a process has, in kB."""
    (line,) = [x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in x]
    return int(line.split()[1])


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.02)


@contextmanager
def crowd(port: int, count: int = CLIENTS) -> Iterator[list[socket.socket]]:
    """Connect so many clients; those that are left are closed at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients: list[socket.socket] = []
    try:
        for number in range(count):
            source = (ADDRESSES[number % len(ADDRESSES)], 0)
            place = ("127.0.0.1", port)
            clients.append(socket.create_connection(place, PATIENCE_S, source_address=source))
        yield clients
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def post(path: str, body: dict[str, Any]) -> bytes:
    """Return a request."""
    data = json.dumps({"version": 1} | body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(data)}\r\n\r\n".encode() + data


def open_and_wait(clients: list[socket.socket]) -> list[str]:
    """Let each client open a session and wait for its partner; returns their nameplates."""
    secret = {client: secrets.token_hex(32) for client in clients}
    nameplates = []
    for client in clients:
        client.sendall(post("/v1/sessions", {"secret": secret[client]}))
    for client in clients:
        seated = answer(client, 201)
        nameplates.append(seated["nameplate"])
        seat = {"session": seated["session"], "seat": "a", "secret": secret[client]}
        path = f"/v1/sessions/{seated['nameplate']}/wait"
        client.sendall(post(path, seat | {"wait_us": MAX_POLL_US}))
    return nameplates


def answer(client: socket.socket, status: int) -> dict[str, Any]:
    """Read an answer of this status; return its body."""
    head, _, body = read_message(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), (head, body)
    said = json.loads(body)
    assert isinstance(said, dict)
    return said


def fin(client: socket.socket) -> None:
    """Go as a program that ends."""
    client.close()


def rst(client: socket.socket) -> None:
    """Go as a program that is killed with octets unread."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()

"""Connected TCP sockets on loopback, for the tests of streams and pipes."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from peer.io.stream import Stream

PATIENCE_S = 60
"""A test that takes longer hangs."""


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Connect two non-blocking sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


@asynccontextmanager
async def stream_and_socket() -> AsyncIterator[tuple[Stream, socket.socket]]:
    """A stream and the bare socket at its far end, both closed at last."""
    near, far = tcp_pair()
    stream = await Stream.open(near)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield stream, far
    finally:
        far.close()
        await dispose(stream)


@asynccontextmanager
async def two_streams() -> AsyncIterator[tuple[Stream, Stream]]:
    """A stream and its partner, both closed at last."""
    near, far = tcp_pair()
    a, b = await Stream.open(near), await Stream.open(far)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield a, b
    finally:
        await dispose(a)
        await dispose(b)


async def dispose(stream: Stream) -> None:
    """Close a stream in whatever state it is."""
    stream.abort("the test is over")
    await asyncio.gather(stream.wait_closed(), return_exceptions=True)


async def read_all(stream: Stream) -> bytes:
    """Read up to the end mark."""
    return b"".join([data async for data in stream])


async def receive(sock: socket.socket, length: int) -> bytes:
    """Receive exactly these many bytes from a bare socket."""
    data = b""
    while len(data) < length:
        piece = await asyncio.get_running_loop().sock_recv(sock, length - len(data))
        assert piece, f"the far end closed after {data!r}"
        data += piece
    return data


def reset(sock: socket.socket) -> None:
    """Close with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def some_bytes(length: int) -> bytes:
    """Bytes that differ from each other, from call to call too."""
    return os.urandom(1021) * (length // 1021) + os.urandom(length % 1021)

"""Connected TCP sockets on loopback, for the tests of streams and pipes."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

from peer.io.stream import Stream

PATIENCE_S = 60
"""A test that takes longer hangs."""


def tcp_pair(*, narrow: bool = False) -> tuple[socket.socket, socket.socket]:
    """Connect two non-blocking sockets; narrow: with segments and buffers as on a slow path."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        near = stack.enter_context(socket.socket())
        if narrow:
            for sock in (listener, near):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        near.connect(listener.getsockname())
        far, _ = listener.accept()
        stack.pop_all()
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


@asynccontextmanager
async def slow_streams(octets_per_s: int) -> AsyncIterator[tuple[Stream, Stream]]:
    """A stream and its partner over a link that carries so much each way; both closed at last."""
    (near, one), (other, far) = tcp_pair(narrow=True), tcp_pair(narrow=True)
    a, b = await Stream.open(near), await Stream.open(far)
    try:
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            link = [
                group.create_task(_carry(*way, octets_per_s))
                for way in ((one, other), (other, one))
            ]
            yield a, b
            for task in link:
                task.cancel()
    finally:
        await dispose(a)
        await dispose(b)
        one.close()
        other.close()


async def _carry(source: socket.socket, sink: socket.socket, octets_per_s: int) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while data := await loop.sock_recv(source, 4096):
            await asyncio.sleep(len(data) / octets_per_s)
            await loop.sock_sendall(sink, data)
        sink.shutdown(socket.SHUT_WR)


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

"""A forward that meets a plain pipe: one connection to its target, as ssh's ProxyCommand wants."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from peer.apps.forward import Serving
from peer.apps.pipe import PipeResult, pipe
from peer.core.offer import PIPE
from peer.core.places import TcpPlace, parse_pattern
from peer.core.trace import Closed, Forwarding, TraceEvent
from peer.errors import BrokenError, UsageError
from tests.loopback.forwards import echoing, near
from tests.loopback.streams import two_streams


async def piped(serving: Serving, data: bytes) -> tuple[PipeResult, bytes, list[TraceEvent]]:
    """Meet a forward with a plain pipe that says these bytes, and ends; what it got."""
    told: list[TraceEvent] = []
    stdin, writing = os.pipe()
    reading, stdout = os.pipe()
    os.write(writing, data)
    os.close(writing)
    async with two_streams() as (a, b):
        served, result = await asyncio.gather(
            serving(a, told.append), pipe(b, stdin, stdout, offer=PIPE), return_exceptions=True
        )
    for fd in (stdin, stdout):
        os.close(fd)
    got = os.read(reading, 65_536)
    os.close(reading)
    if isinstance(served, BaseException):
        raise served
    assert isinstance(result, PipeResult)
    return result, got, told


async def test_forward_when_the_partner_has_a_pipe_is_one_connection_to_the_target() -> None:
    async with echoing() as target:
        result, got, told = await piped(Serving(target), b"SSH-2.0-midair\r\n")
    assert got == b"SSH-2.0-midair\r\n"
    assert result == PipeResult(16, 16, "done")
    assert told == [Forwarding("gives", [str(target)]), Closed(16, 16, "done")]


async def test_forward_when_a_pipes_target_refuses_both_sides_say_so() -> None:
    target = near()
    async with two_streams() as (a, b):
        null = os.open(os.devnull, os.O_RDWR)
        served, result = await asyncio.gather(
            Serving(target)(a, lambda _: None),
            pipe(b, null, null, offer=PIPE),
            return_exceptions=True,
        )
        os.close(null)
    assert isinstance(served, BrokenError)
    assert str(served).startswith(f"{target}: Connection refused")
    assert isinstance(result, PipeResult)
    assert result.reason == f"the partner aborted: {target}: Connection refused"


async def test_forward_when_a_pipe_comes_and_there_is_no_target_says_what_is_missing() -> None:
    with pytest.raises(UsageError, match="no --forward here"):
        await piped(Serving(None, (parse_pattern("*:*"),)), b"")


async def test_forward_when_a_pipes_target_breaks_is_no_success() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        target = TcpPlace("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(BrokenError, match="reset by peer"):
            await piped(Serving(target), b"x")

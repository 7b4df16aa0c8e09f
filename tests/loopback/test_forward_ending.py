"""Forwards that end: stopped by a user, or because the partner has vanished."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from peer.apps.forward import Binding, Serving
from peer.core.offer import PIPE
from peer.core.places import TcpPlace
from peer.core.trace import Closed, Forwarded, TraceEvent
from peer.errors import BrokenError
from peer.io.offer import exchange
from tests.loopback.forwards import ask, echoing, near
from tests.loopback.streams import two_streams


@pytest.mark.parametrize("stopped", ["gives", "takes"])
async def test_forward_when_stopped_while_nothing_is_open_ends_the_partner_in_order(
    stopped: str,
) -> None:
    async with echoing() as target, two_streams() as (a, b):
        place, told, both_told = near(), list[TraceEvent](), asyncio.Event()

        def tell(event: TraceEvent) -> None:
            told.append(event)
            if sum(isinstance(event, Forwarded) for event in told) == 2:
                both_told.set()

        binding = Binding((place,))
        binding.claim(tell)
        gives = asyncio.create_task(Serving(target)(a, tell))
        takes = asyncio.create_task(binding(b, tell))
        link = await asyncio.open_connection(place.host, place.port)
        assert await ask(link, b"hello") == b"hello"
        await both_told.wait()
        one, other = (gives, takes) if stopped == "gives" else (takes, gives)
        one.cancel()
        await other
        assert isinstance(told[-1], Closed)
        assert told[-1].reason == "your partner left"
        with pytest.raises(asyncio.CancelledError):
            await one
        binding.release()


@pytest.mark.parametrize("stopped", ["gives", "takes"])
async def test_forward_when_stopped_while_some_are_open_says_how_many_broke(stopped: str) -> None:
    async with echoing() as target, two_streams() as (a, b):
        place = near()
        binding = Binding((place,))
        binding.claim(lambda _: None)
        gives = asyncio.create_task(Serving(target)(a, lambda _: None))
        takes = asyncio.create_task(binding(b, lambda _: None))
        reader, writer = await asyncio.open_connection(place.host, place.port)
        writer.write(b"hi")
        assert await reader.read(2) == b"hi"
        one, other = (gives, takes) if stopped == "gives" else (takes, gives)
        one.cancel()
        with pytest.raises(BrokenError, match="interrupted while 1 connection was open"):
            await other
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        binding.release()


async def test_forward_when_the_partner_vanishes_breaks_the_clients() -> None:
    async with echoing() as target, two_streams() as (a, b):
        place = near()
        binding = Binding((place,))
        binding.claim(lambda _: None)
        serving = asyncio.gather(
            Serving(target)(a, lambda _: None), binding(b, lambda _: None), return_exceptions=True
        )
        reader, writer = await asyncio.open_connection(place.host, place.port)
        writer.write(b"hi")
        assert await reader.read(2) == b"hi"
        a._wire.drop()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        ended = await serving
        assert all(isinstance(error, BrokenError) for error in ended)
        binding.release()


async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say more than anybody reads."""
    with suppress(OSError):
        while True:
            writer.write(bytes(65_536))
            await writer.drain()
    writer.close()


async def test_forward_when_the_partner_vanishes_ends_though_a_client_does_not_read() -> None:
    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server, two_streams() as (a, b):
        target = TcpPlace("127.0.0.1", server.sockets[0].getsockname()[1])
        place = near()
        binding = Binding((place,))
        binding.claim(lambda _: None)
        serving = asyncio.create_task(Serving(target)(a, lambda _: None))
        taking = asyncio.create_task(binding(b, lambda _: None))
        client = socket.create_connection((place.host, place.port))
        with client:
            # Until nothing moves any more: the client's kernel and everything before it is full.
            moved = -1
            while moved != b.received:
                moved = b.received
                await asyncio.sleep(0.3)
            a._wire.drop()
            for task in (serving, taking):
                with pytest.raises(BrokenError):
                    await task
        binding.release()


async def test_forward_when_a_pipe_vanishes_ends_though_the_target_does_not_read() -> None:
    over = asyncio.Event()

    async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    async with server, two_streams() as (a, b):
        target = TcpPlace("127.0.0.1", server.sockets[0].getsockname()[1])
        serving = asyncio.create_task(Serving(target)(a, lambda _: None))
        await exchange(b, PIPE)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while True:
                    await b.write(bytes(65_536))
        b._wire.drop()
        with pytest.raises(BrokenError):
            await serving
        over.set()

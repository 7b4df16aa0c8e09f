"""Both sides of a forward in one process, and programs at its ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from peer.apps.forward import Binding, Serving
from peer.core.places import Place, TcpPlace
from peer.core.trace import TraceEvent
from peer.errors import BrokenError
from tests.loopback.ports import free_ports
from tests.loopback.streams import two_streams

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, and end when it ends."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def forwarding(
    serving: Serving, *at: Place, to: TcpPlace | None = None
) -> AsyncIterator[tuple[list[TraceEvent], list[TraceEvent]]]:
    """Both sides, joined; what each of them tells."""
    gives: list[TraceEvent] = []
    takes: list[TraceEvent] = []
    binding = Binding(at, to)
    binding.claim(takes.append)
    async with two_streams() as (a, b):
        try:
            async with asyncio.TaskGroup() as tasks:
                both = [
                    tasks.create_task(serving(a, gives.append)),
                    tasks.create_task(binding(b, takes.append)),
                ]
                yield gives, takes
                for task in both:
                    task.cancel()
        except* BrokenError:
            pass
        finally:
            binding.release()


@asynccontextmanager
async def echoing() -> AsyncIterator[TcpPlace]:
    """A target that sends back what comes."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        yield TcpPlace("127.0.0.1", server.sockets[0].getsockname()[1])


def near() -> TcpPlace:
    """A place to listen at."""
    return TcpPlace("127.0.0.1", free_ports())


async def ask(ends: Ends, data: bytes) -> bytes:
    """Send all, end, and return all that comes back."""
    reader, writer = ends

    async def send() -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        answer = await reader.read()
    writer.close()
    return answer

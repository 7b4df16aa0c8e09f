"""Join a program's connection to a stream of the partner's, each direction to its own end.

Not for making either of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from peer.core.mux import FRAME_MAX
from peer.core.trace import Forwarded, TraceEvent
from peer.errors import StreamBrokenError
from peer.io import places
from peer.io.mux_stream import StreamResetError

READ_SIZE = FRAME_MAX
DONE = "done"
"""The reason of a connection whose two directions ended in order."""
Emit = Callable[[TraceEvent], None]


class Far(Protocol):
    """The partner's end: the one stream, or one of many."""

    async def read(self, n: int = READ_SIZE) -> bytes:
        """Return the next bytes; b"" at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    async def write_eof(self) -> None:
        """End the outgoing direction."""
        ...

    def abort(self, reason: str) -> None:
        """Break both directions."""
        ...

    async def wait_broken(self) -> None:
        """Wait until both directions are broken, and raise why."""
        ...


async def join(
    name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: Far
) -> Forwarded:
    """Carry both directions, each to its own end.

    Args:
        name: of the near end, for the event.
        reader: of the near end.
        writer: of the near end; closed when this returns, with a RST if something is missing.
        far: broken if something is missing.

    Returns:
        How that went.
    """
    # What is acknowledged to the partner, or "done", has left this process.
    writer.transport.set_write_buffer_limits(0)
    sent = received = 0
    whole = False
    reason = "interrupted"

    async def send() -> None:
        nonlocal sent
        while data := await reader.read(READ_SIZE):
            await far.write(data)
            sent += len(data)
        await far.write_eof()

    async def receive() -> None:
        nonlocal received
        while data := await far.read(READ_SIZE):
            writer.write(data)
            await writer.drain()
            received += len(data)
        writer.write_eof()

    async def both() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            tasks.create_task(receive())
        watching.cancel()

    try:
        async with asyncio.TaskGroup() as tasks:
            # A program that neither reads nor writes must not hold what is broken.
            watching = tasks.create_task(far.wait_broken())
            tasks.create_task(both())
        whole, reason = True, DONE
    except* (OSError, StreamResetError, StreamBrokenError) as group:
        reason = _why(group)
    finally:
        if not whole:
            far.abort(reason)
        await places.close(writer, whole=whole)
    return Forwarded(name, sent, received, reason)


def _why(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return places.why(error) if isinstance(error, OSError) else str(error)

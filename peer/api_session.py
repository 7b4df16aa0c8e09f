"""midair from Python: a connection for as long as the caller's block, or a use, lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

from peer.apps.connected import Connecting, Use
from peer.core.trace import TraceEvent
from peer.io.attempt import Won
from peer.io.stream import Stream

Emit = Callable[[TraceEvent], None]


@asynccontextmanager
async def opened(connecting: Connecting) -> AsyncIterator[tuple[Won, Stream]]:
    """Connect, and end the stream in order when it is left; by an exception: abort it.

    Args:
        connecting: a session or a meeting.
    """
    async with _reached(connecting) as (won, stream), stream:
        yield won, stream


async def run(connecting: Connecting, use: Use, emit: Emit) -> None:
    """Connect, use the connection to its end.

    Args:
        connecting: a session.
        use: what for.
        emit: takes what happens.
    """
    async with _reached(connecting) as (won, stream), AsyncExitStack() as ending:
        ending.push_async_exit(stream)
        emit(won.connected)
        await use(stream, emit)
        # It has ended the stream, and knows whether a break at the end did any harm.
        ending.pop_all()


@asynccontextmanager
async def _reached(connecting: Connecting) -> AsyncIterator[tuple[Won, Stream]]:
    won = await connecting.run()
    try:
        stream = await Stream.open(won.sock, won.tls)
    except BaseException:
        won.sock.close()
        await connecting.goodbye()
        raise
    async with beside(connecting.goodbye()):
        yield won, stream


@asynccontextmanager
async def beside(work: Coroutine[None, None, None], *, cancel: bool = False) -> AsyncIterator[None]:
    """Run something beside the caller's block, whose own exception comes out as it is.

    Args:
        work: what to run.
        cancel: at the block's end; else it is waited for.
    """
    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield
        except Exception as error:
            failure = error  # the group would wrap it
        if cancel:
            task.cancel()
    if failure is not None:
        raise failure

"""Whatever makes the connection: join standard input and output to it, tell, and end truly.

Not for making it: that is :mod:`peer.io.runner`'s, or :mod:`peer.io.meet`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from peer.apps.pipe import DONE, PipeResult, pipe
from peer.apps.signals import NUMBERS, end_at_once_with, ignore_while_exiting
from peer.core.trace import Closed, Failed, TraceEvent
from peer.errors import BrokenError, MidairError
from peer.io.attempt import Won
from peer.io.clock import SystemClock
from peer.io.stdio import reserve_standard_descriptors
from peer.io.stream import Stream
from peer.tell import Tellers, log_to_stderr

INTERRUPTED = 130
"""128 + SIGINT: what a shell reports of an interrupted program."""


class Connecting(Protocol):
    """What makes one connection."""

    async def run(self) -> Won:
        """Get it, or raise one of :mod:`peer.errors`."""
        ...

    async def goodbye(self) -> None:
        """Do what is left to do once there is a connection."""
        ...


def run_piped(
    make: Callable[[Tellers, SystemClock], Connecting],
    *,
    as_json: bool,
    trace_path: str | None,
    verbosity: int,
) -> int:
    """Connect, and join standard input and output to the partner's.

    Args:
        make: makes what connects; it tells its events to the tellers.
        as_json: report in JSON lines instead of sentences.
        trace_path: a file for every event; None: no file.
        verbosity: 0, 1 or 2.

    Returns:
        The exit code, see :mod:`peer.errors`.
    """
    reserve_standard_descriptors()
    log_to_stderr(verbosity)
    clock = SystemClock()
    tell = Tellers(clock.now, clock.now())
    tell.tell_stderr(as_json=as_json)
    try:
        if trace_path is not None:
            tell.tell_file(trace_path)
        try:
            exit_code = asyncio.run(_connect_and_pipe(make(tell, clock), tell))
        finally:
            # The loop's own handlers have gone with it.
            end_at_once_with(INTERRUPTED)
    except MidairError as error:
        tell(Failed(error.verdict, error.what, error.hint, error.exit_code))
        exit_code = error.exit_code
    except (asyncio.CancelledError, KeyboardInterrupt):
        tell(Failed("interrupted", "stopped", "", INTERRUPTED))
        exit_code = INTERRUPTED
    finally:
        tell.close()
    end_at_once_with(exit_code)
    ignore_while_exiting()
    return exit_code


async def _connect_and_pipe(connecting: Connecting, emit: Callable[[TraceEvent], None]) -> int:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in NUMBERS:
        loop.add_signal_handler(number, task.cancel)
    won = await connecting.run()
    try:
        emit(won.connected)
        stream = await Stream.open(won.sock)
    except BaseException:
        won.sock.close()
        await connecting.goodbye()
        raise
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(connecting.goodbye())
        result = await pipe(stream)
    return _ended(result, emit)


def _ended(result: PipeResult, emit: Callable[[TraceEvent], None]) -> int:
    emit(Closed(result.sent, result.received, result.reason))
    if result.reason == DONE:
        return 0
    raise BrokenError(
        f"the connection broke: {result.reason}",
        "What was sent may not have arrived whole; connect again",
    )

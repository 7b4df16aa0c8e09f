"""Whatever makes a connection, and whatever uses it: tell what happens, and end truly.

Not for making it: that is :mod:`peer.io.runner`'s, or :mod:`peer.io.meet`'s. Not for using it:
that is a module beside this one for each use.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from peer.apps.signals import end_at_once_with, ignore_while_exiting, wanted
from peer.core.again import pause_ns
from peer.core.times import MonoNs
from peer.core.trace import Connected, Failed, TraceEvent, Warned
from peer.core.units import data_size, duration
from peer.errors import BrokenError, MidairError, StreamBrokenError
from peer.io.clock import SystemClock
from peer.io.stdio import reserve_standard_descriptors
from peer.io.stream import Stream
from peer.tell import Tellers, log_to_stderr
from rendezvous.protocol.times import NS_PER_US

if TYPE_CHECKING:
    from peer.io.attempt import Won

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


Use = Callable[[Stream, Callable[[TraceEvent], None]], Awaitable[None]]
"""Uses a stream to its end, tells of it, and raises one of :mod:`peer.errors` if that is no good
one. The stream is closed when it returns."""


def run_connected(
    make: Callable[[Tellers, SystemClock], Connecting],
    use: Use,
    *,
    as_json: bool,
    trace_path: str | None,
    verbosity: int,
    keep: bool = False,
) -> int:
    """Connect, and use the connection.

    Args:
        make: makes what connects; it tells its events to the tellers.
        use: what the connection is for.
        as_json: report in JSON lines instead of sentences.
        trace_path: a file for every event; None: no file.
        verbosity: 0, 1 or 2.
        keep: begin again after each connection, until the user stops it.

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
            connecting = functools.partial(make, tell, clock)
            asyncio.run(_again_and_again(connecting, use, tell, clock, keep=keep))
            exit_code = 0
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


async def _again_and_again(
    make: Callable[[], Connecting],
    use: Use,
    tell: Callable[[TraceEvent], None],
    clock: SystemClock,
    *,
    keep: bool,
) -> None:
    first, connected, failures = True, False, 0

    def emit(event: TraceEvent) -> None:
        nonlocal connected
        connected = connected or isinstance(event, Connected)
        tell(event)

    while True:
        failure: MidairError | None = None
        try:
            await _connect_and_use(make(), use, emit)
        except MidairError as error:
            failure = error
        failures = 0 if connected else failures + 1
        pause = pause_ns(failure, connected=connected, failures=failures, first=first)
        if pause is None or not keep:
            if failure is not None:
                raise failure
            return
        if failure is not None:
            after = f"; again in {duration(pause // NS_PER_US)}" if pause else ""
            tell(Warned(f"{failure.what}{after}"))
        first, connected = False, False
        await clock.sleep_until(MonoNs(clock.now() + pause))


async def _connect_and_use(
    connecting: Connecting, use: Use, emit: Callable[[TraceEvent], None]
) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in wanted():
        loop.add_signal_handler(number, task.cancel)
    won = await connecting.run()
    try:
        emit(won.connected)
        stream = await Stream.open(won.sock, won.tls)
    except BaseException:
        won.sock.close()
        await connecting.goodbye()
        raise
    failure: MidairError | None = None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(connecting.goodbye())
        try:
            await use(stream, emit)
        except MidairError as error:
            failure = error  # the group would wrap it, and not wait for the goodbye
            await _break(stream, "it failed here")
        except BaseException:
            await _break(stream, "interrupted")
            raise
    if failure is not None:
        if isinstance(failure, BrokenError) and won.relay_octets is not None:
            carries = data_size(won.relay_octets)
            failure.hint = f"The relay carries at most {carries} for a pair: was it more than that?"
        raise failure


async def _break(stream: Stream, reason: str) -> None:
    """Break what is not over, and wait until the partner can know.

    The ABORT with the reason must be gone before the process is: a close with bytes unread would be
    a RST, which overtakes it.
    """
    stream.abort(reason)
    with suppress(StreamBrokenError):
        await stream.wait_closed()

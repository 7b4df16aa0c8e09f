"""Run one session with its pipe, tell the user, and return the true exit code."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable

from peer.apps.pipe import DONE, PipeResult, pipe
from peer.apps.signals import NUMBERS, end_at_once_with, ignore_while_exiting
from peer.core.code import Code, CodeError
from peer.core.trace import Closed, CodeMade, Failed, TraceEvent
from peer.errors import BrokenError, MidairError, UsageError
from peer.io.clock import SystemClock
from peer.io.runner import Session
from peer.io.stdio import reserve_standard_descriptors
from peer.io.stream import Stream
from peer.settings import DEFAULT_NTP, Settings
from peer.tell import Tellers, log_to_stderr

INTERRUPTED = 130
"""128 + SIGINT: what a shell reports of an interrupted program."""


def run_pipe(
    settings: Settings,
    code: str | None,
    *,
    listens: bool,
    as_json: bool,
    trace_path: str | None,
    verbosity: int,
) -> int:
    """Connect, and join standard input and output to the partner's.

    Args:
        settings: the user's.
        code: the code as typed; None: make one.
        listens: take the first seat; else the second.
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
        session = Session(
            settings,
            None if code is None else _parse(code),
            tell,
            on_code=lambda made: tell(CodeMade(str(made), _command(made, settings))),
            listens=listens,
            clock=clock,
            started_at=tell.started_at,
        )
        try:
            exit_code = asyncio.run(_session_and_pipe(session, tell))
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


async def _session_and_pipe(session: Session, emit: Callable[[TraceEvent], None]) -> int:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in NUMBERS:
        loop.add_signal_handler(number, task.cancel)
    won = await session.run()
    try:
        emit(won.connected)
        stream = await Stream.open(won.sock)
    except BaseException:
        won.sock.close()
        await session.goodbye()
        raise
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.goodbye())
        result = await pipe(stream)
    return _ended(result, emit)


def _ended(result: PipeResult, emit: Callable[[TraceEvent], None]) -> int:
    emit(Closed(result.sent, result.received, result.reason))
    if result.reason == DONE:
        return 0
    raise BrokenError(
        f"the connection broke: {result.reason}",
        "What was sent may not have arrived whole; connect again with a new code",
    )


def _parse(code: str) -> Code:
    try:
        return Code.parse(code)
    except CodeError as error:
        raise UsageError(f"that is no code: {error}") from None


def _command(code: Code, settings: Settings) -> str:
    """The whole command for the other side, ready to be pasted."""
    words = ["midair", "connect", str(code), "--rendezvous", settings.rendezvous]
    if settings.ntp != DEFAULT_NTP:
        words += [word for server in settings.ntp for word in ("--ntp", server)]
    return shlex.join(words)

"""The pipe: what comes in at standard input goes to the partner, what it sends goes out.

Not for making the stream: the caller does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from peer.apps.signals import outlive_hangup
from peer.core.offer import PIPE, Offer
from peer.core.trace import Closed, TraceEvent
from peer.errors import BrokenError, MidairError, StreamBrokenError
from peer.io.offer import announce, hear
from peer.io.pump import sink, source
from peer.io.stream import Stream

DONE = "done"
"""The reason of a pipe whose two directions ended in order."""


@dataclass(frozen=True, slots=True)
class PipeResult:
    """How a pipe ended."""

    sent: int
    """Bytes read from standard input and given to the stream. With reason "done" the partner has
    written every one of them to its standard output."""
    received: int
    """Bytes written to standard output."""
    reason: str
    """"done", or one sentence for a person, without a full stop."""


class _Count:
    """Bytes so far, still known when the direction breaks."""

    sent = 0
    received = 0


async def pipe(
    stream: Stream, stdin_fd: int = 0, stdout_fd: int = 1, *, offer: Offer | None = None
) -> PipeResult:
    """Join a stream to two descriptors until both directions have ended.

    Each direction ends on its own: the end of standard input is a mark in the stream, and the
    other direction goes on. A standard output that nobody reads any more, or an input that
    cannot be read, breaks the stream, and the partner is told why: its bytes are not thrown away
    in silence.

    Args:
        stream: Open; closed when this returns.
        stdin_fd: Read to its end. Left open.
        stdout_fd: Written. Left open: its reader sees the end when the process exits.
        offer: What the partner is told before the first byte, and must go with what it says; None:
            both know. Nobody waits for the partner's before sending: it throws the bytes away
            where the two do not go together.

    Returns:
        What went through, and why it ended.

    Raises:
        UsageError: The partner is here for something else.
        BrokenError: It did not say for what.
    """
    count = _Count()
    reason = DONE
    failure: MidairError | None = None
    try:
        if offer is not None:
            with contextlib.suppress(StreamBrokenError):  # who reads meets it, too
                await announce(stream, offer)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(_send(stream, stdin_fd, count))
            try:
                if offer is not None:
                    await hear(stream, offer)
                await _receive(stream, stdout_fd, count)
                # Also while standard input is still open: a partner that goes now is noticed.
                await stream.wait_closed()
            except StreamBrokenError as broken:
                reason = broken.reason
                sending.cancel()
                # An ABORT of ours is on its way only then.
                with contextlib.suppress(StreamBrokenError):
                    await stream.wait_closed()
            except MidairError as error:
                failure = error  # the group would wrap it
                sending.cancel()
    except BaseException:
        stream.abort("interrupted")
        raise
    if failure is not None:
        raise failure
    return PipeResult(count.sent, count.received, reason)


async def standard_pipe(stream: Stream, emit: Callable[[TraceEvent], None]) -> None:
    """Join a stream to standard input and output, and tell how that ended.

    Args:
        stream: as for :func:`pipe`.
        emit: takes the event.

    Raises:
        UsageError: the partner is here for something else.
        BrokenError: a direction did not end in order.
    """
    outlive_hangup(asyncio.get_running_loop())
    result = await pipe(stream, offer=PIPE)
    emit(Closed(result.sent, result.received, result.reason))
    if result.reason != DONE:
        raise BrokenError(
            f"the connection broke: {result.reason}",
            "What was sent may not have arrived whole; connect again",
        )


async def _send(stream: Stream, fd: int, count: _Count) -> None:
    with source(fd) as stdin:
        try:
            while data := await stdin.read():
                await stream.write(data)
                count.sent += len(data)
            await stream.write_eof()
        except StreamBrokenError:
            return  # The other direction meets it too, once it has written what had come.
        except OSError as error:
            stream.abort(f"standard input: {error.strerror}")


async def _receive(stream: Stream, fd: int, count: _Count) -> None:
    with sink(fd) as stdout:
        stream.offer_to(stdout.offer)
        try:
            while True:
                if not stream.waiting:
                    # A read that finds nothing tells the partner that all before is dealt with.
                    await stdout.flush()
                data = await stream.read()
                if not data:
                    return
                await stdout.write(data)
        except OSError as error:
            stream.abort(f"standard output: {error.strerror}")
        finally:
            stream.offer_to(None)
            count.received = stdout.written

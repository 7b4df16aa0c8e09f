"""midair from Python: a meeting by appointment, without a server; see ``midair meet``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from peer.api import Link
from peer.api_session import opened
from peer.core.offer import PIPE
from peer.core.secret import Secret, SecretError
from peer.core.trace import TraceEvent
from peer.errors import UsageError
from peer.io.clock import SystemClock
from peer.io.meet import Meet
from peer.io.meet_clock import MeetClock
from peer.io.offer import exchange
from peer.settings import DEFAULT_NTP, MeetSettings, check_ntp, timeout_ns
from rendezvous.protocol.times import US_PER_S


def meet(
    host: str,
    *,
    secret: str | None = None,
    at: datetime | None = None,
    port: int | None = None,
    remote_port: int | None = None,
    ntp: Sequence[str] = DEFAULT_NTP,
    timeout_s: float | None = None,
) -> AbstractAsyncContextManager[Link]:
    """Meet a partner at an agreed time, without any server.

    Args:
        host: the partner's public address, or a name of it.
        secret: what both sides have; it gives time and ports by itself. Without one the
            connection is encrypted, but to nobody in particular.
        at: when, with its time zone; with ``port``.
        port: the local port, 1024 or more.
        remote_port: the partner's, if it is another one.
        ntp: NTP servers, ``HOST[:PORT]``.
        timeout_s: most seconds that all of it may take; None: no limit.

    Returns:
        An async context manager that gives a :class:`Link`, closed in order at the end.

    Raises:
        UsageError: an argument makes no sense.
        MidairError: on entering; see :mod:`peer.errors`.
    """
    if (at is None) != (port is None):
        raise UsageError("a meeting by time needs both `at` and `port`")
    if at is None and secret is None:
        raise UsageError("a meeting needs a secret, or `at` and `port`")
    if at is not None and at.utcoffset() is None:
        raise UsageError("`at` needs a time zone")
    try:
        check_ntp(ntp)
        settings = MeetSettings(
            host=host,
            secret=b"" if secret is None else Secret.parse(secret).data,
            at_us=None if at is None else round(at.timestamp() * US_PER_S),
            port=port or 0,
            remote_port=remote_port or port or 0,
            ntp=tuple(ntp),
            timeout_ns=None if timeout_s is None else timeout_ns(timeout_s),
        )
    except (ValueError, SecretError) as error:
        raise UsageError(f"an argument makes no sense: {error}") from None
    return _meeting(settings)


@asynccontextmanager
async def _meeting(settings: MeetSettings) -> AsyncIterator[Link]:
    trace: list[TraceEvent] = []
    clock = SystemClock()
    meeting = Meet(
        settings, trace.append, MeetClock(settings.ntp, clock, trace.append), clock=clock
    )
    async with opened(meeting) as (won, stream):
        await exchange(stream, PIPE)
        yield Link(stream, won.connected, trace)

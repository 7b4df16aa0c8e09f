"""midair from Python: a stream to a partner, or a plain connected socket.

::

    async with peer.listen(rendezvous=URL, on_code=print) as link:
        await link.stream.write(b"hello")

    async with peer.connect(code, rendezvous=URL) as link:
        print(await link.stream.read(), link.facts.remote, link.facts.skew_us)

    sock, facts = await peer.punch(code, rendezvous=URL)
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

from peer.api_arguments import Options, checked, parsed_code, parsed_secret
from peer.api_session import opened
from peer.core.code import DEFAULT_WORDS, MAX_WORDS, MIN_WORDS, Code
from peer.core.offer import PIPE
from peer.core.trace import Connected, TraceEvent
from peer.errors import UsageError
from peer.io.keying import Known
from peer.io.offer import exchange
from peer.io.runner import Session
from peer.io.stream import Stream
from peer.settings import DEFAULT_NTP, RelayPolicy, Settings

__all__ = ["Link", "Options", "connect", "listen", "punch"]


@dataclass(frozen=True, slots=True)
class Link:
    """One direct connection to the partner."""

    stream: Stream
    """Bytes both ways, each direction with its own end."""
    facts: Connected
    """How it came about: ``local``, ``remote``, ``first_shot``, ``skew_us``, …"""
    trace: list[TraceEvent] = field(default_factory=list)
    """Everything that happened until then, as typed events."""


def listen(
    *,
    rendezvous: str,
    on_code: Callable[[str], None] | None = None,
    secret: str | None = None,
    words: int = DEFAULT_WORDS,
    ntp: Sequence[str] = DEFAULT_NTP,
    local_port: int | None = None,
    timeout_s: float | None = None,
    relay: RelayPolicy = "auto",
) -> AbstractAsyncContextManager[Link]:
    """Open a session, wait for a partner, and connect.

    Args:
        rendezvous: URL of the rendezvous.
        on_code: called with the code, which the partner must be given; needed without a secret.
        secret: what both sides have instead of a code, as ``midair meet --new-secret`` makes it.
        words: of a code, 2 to 16.
        ntp: NTP servers, ``HOST[:PORT]``.
        local_port: first of four local ports; None: random ones.
        timeout_s: most seconds to wait for the partner, and again to connect in; None: no
            limit, and 30.
        relay: ``auto``: over the rendezvous's relay where no path opens; ``never``; ``only``.

    Returns:
        An async context manager that gives a :class:`Link`, closed in order at the end.

    Raises:
        UsageError: the secret is none, or nobody would hear of the code.
        MidairError: on entering; see :mod:`peer.errors`.
    """
    if not MIN_WORDS <= words <= MAX_WORDS:
        raise UsageError(f"a code has {MIN_WORDS} to {MAX_WORDS} words, not {words}")
    settings = replace(checked(rendezvous, ntp, local_port, timeout_s, relay), words=words)
    if secret is not None:
        return _link(settings, parsed_secret(secret), listens=True)
    if on_code is None:
        raise UsageError("somebody must hear of the code", "Give on_code, or a secret")
    told = on_code
    return _link(settings, None, lambda code: told(str(code)), listens=True)


def connect(
    code: str | None = None,
    *,
    rendezvous: str,
    secret: str | None = None,
    ntp: Sequence[str] = DEFAULT_NTP,
    local_port: int | None = None,
    timeout_s: float | None = None,
    relay: RelayPolicy = "auto",
) -> AbstractAsyncContextManager[Link]:
    """Join the session that a code names, and connect.

    Args:
        code: what the other side's ``listen`` made.
        rendezvous: URL of the same rendezvous.
        secret: what both sides have instead of a code; then either may be first.
        ntp: NTP servers, ``HOST[:PORT]``.
        local_port: first of four local ports; None: random ones.
        timeout_s: most seconds to connect in; None: 30.
        relay: ``auto``: over the rendezvous's relay where no path opens; ``never``; ``only``.

    Returns:
        An async context manager that gives a :class:`Link`, closed in order at the end.

    Raises:
        UsageError: the text is no code, or the secret none, or there is not one of them.
        MidairError: on entering; see :mod:`peer.errors`.
    """
    settings = checked(rendezvous, ntp, local_port, timeout_s, relay)
    if (code is None) == (secret is None):
        raise UsageError("there must be a code or a secret", "Give one of them")
    known = parsed_secret(secret) if code is None else parsed_code(code)
    return _link(settings, known)


async def punch(
    code: str | None = None,
    *,
    rendezvous: str,
    on_code: Callable[[str], None] = lambda _: None,
    ntp: Sequence[str] = DEFAULT_NTP,
    local_port: int | None = None,
    timeout_s: float | None = None,
) -> tuple[socket.socket, Connected]:
    """Get the plain socket: connected, proven, non-blocking, nothing of the stream's on it.

    It is not encrypted, and never goes over a relay: whoever is on the path, and a rendezvous whose
    reflectors lie, can read and change what is sent on it, so bring your own TLS. Both sides must
    call this, since the other calls encrypt and frame what they send.

    Args:
        code: the partner's code; None: open a session and make one.
        rendezvous: URL of the rendezvous.
        on_code: called with the code that was made.
        ntp: NTP servers, ``HOST[:PORT]``.
        local_port: first of four local ports; None: random ones.
        timeout_s: most seconds to wait for the partner, and again to connect in; None: no
            limit, and 30.

    Returns:
        The socket, the caller's to close, and its facts. It is given once the seat is given up,
        which a rendezvous that has gone can delay by 2 seconds.

    Raises:
        MidairError: see :mod:`peer.errors`.
    """
    settings = checked(rendezvous, ntp, local_port, timeout_s)
    session = Session(
        settings,
        None if code is None else parsed_code(code),
        emit=lambda _: None,
        on_code=lambda made: on_code(str(made)),
        encrypts=False,
    )
    won = await session.run()
    try:
        await session.goodbye()
    except BaseException:
        won.sock.close()
        raise
    return won.sock, won.connected


@asynccontextmanager
async def _link(
    settings: Settings,
    known: Known | None,
    on_code: Callable[[Code], None] = lambda _: None,
    *,
    listens: bool = False,
) -> AsyncIterator[Link]:
    trace: list[TraceEvent] = []
    session = Session(settings, known, trace.append, on_code, listens)
    async with opened(session) as (won, stream):
        await exchange(stream, PIPE)
        yield Link(stream, won.connected, trace)

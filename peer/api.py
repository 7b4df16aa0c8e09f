"""midair from Python: a stream to a partner, or a plain connected socket.

::

    async with peer.listen(rendezvous=URL, on_code=print) as link:
        await link.stream.write(b"hello")

    async with peer.connect(code, rendezvous=URL) as link:
        print(await link.stream.read(), link.facts.remote, link.facts.skew_us)

    sock, facts = await peer.punch(code, rendezvous=URL)
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Required, TypedDict

from peer.apps.connected import Connecting
from peer.core.code import DEFAULT_WORDS, MAX_WORDS, MIN_WORDS, Code, CodeError
from peer.core.offer import PIPE
from peer.core.secret import Secret, SecretError
from peer.core.trace import Connected, TraceEvent
from peer.errors import UsageError
from peer.io.attempt import Won
from peer.io.keying import Known
from peer.io.offer import exchange
from peer.io.runner import Session
from peer.io.stream import Stream
from peer.settings import DEFAULT_NTP, RELAY_POLICIES, RelayPolicy, Settings, check_ntp, timeout_ns


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
    settings = replace(_settings(rendezvous, ntp, local_port, timeout_s, relay), words=words)
    if secret is not None:
        return _link(settings, _secret(secret), listens=True)
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
    settings = _settings(rendezvous, ntp, local_port, timeout_s, relay)
    if (code is None) == (secret is None):
        raise UsageError("there must be a code or a secret", "Give one of them")
    known = _secret(secret) if code is None else _parse(code)
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
    settings = _settings(rendezvous, ntp, local_port, timeout_s)
    session = Session(
        settings,
        None if code is None else _parse(code),
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


@asynccontextmanager
async def opened(connecting: Connecting) -> AsyncIterator[tuple[Won, Stream]]:
    """Connect, and end the stream in order when it is left; by an exception: abort it.

    Args:
        connecting: a session or a meeting.
    """
    won = await connecting.run()
    try:
        stream = await Stream.open(won.sock, won.tls)
    except BaseException:
        won.sock.close()
        await connecting.goodbye()
        raise
    async with beside(connecting.goodbye()), stream:
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


class Options(TypedDict, total=False):
    """What every call may be given."""

    rendezvous: Required[str]
    """URL of the rendezvous."""
    secret: str | None
    """What both sides have instead of a code, as ``midair meet --new-secret`` makes it."""
    ntp: Sequence[str]
    """NTP servers, ``HOST[:PORT]``."""
    local_port: int | None
    """First of four local ports; None: random ones."""
    timeout_s: float | None
    """Most seconds to wait for the partner, and again to connect in; None: no limit, and 30."""
    relay: RelayPolicy
    """``auto``: over the rendezvous's relay where no path opens; ``never``; ``only``."""


def opening(
    on_code: Callable[[str], None] | None, options: Options, emit: Callable[[TraceEvent], None]
) -> Session:
    """Make a session, not begun, of the side that waits for the other one.

    Args:
        on_code: called with the code that was made; None: there is a secret.
        options: the caller's.
        emit: takes what happens.

    Raises:
        UsageError: an argument makes no sense.
    """
    secret = options.get("secret")
    if on_code is None and secret is None:
        raise UsageError("somebody must hear of the code", "Give on_code, or a secret")
    known = None if secret is None else _secret(secret)
    told = on_code or (lambda _: None)
    return Session(_given(options), known, emit, lambda code: told(str(code)), listens=True)


def joining(code: str | None, options: Options, emit: Callable[[TraceEvent], None]) -> Session:
    """Make a session, not begun, of the side that joins.

    Args:
        code: the partner's; None: there is a secret.
        options: the caller's.
        emit: takes what happens.

    Raises:
        UsageError: an argument makes no sense.
    """
    secret = options.get("secret")
    if (code is None) == (secret is None):
        raise UsageError("there must be a code or a secret", "Give one of them")
    return Session(_given(options), _secret(secret) if code is None else _parse(code), emit)


def _given(options: Options) -> Settings:
    return _settings(
        options["rendezvous"],
        options.get("ntp", DEFAULT_NTP),
        options.get("local_port"),
        options.get("timeout_s"),
        options.get("relay", "auto"),
    )


def _parse(code: str) -> Code:
    try:
        return Code.parse(code)
    except CodeError as error:
        raise UsageError(f"that is no code: {error}") from None


def _secret(text: str | None) -> Secret:
    try:
        return Secret.parse(text or "")
    except SecretError as error:
        raise UsageError(f"that is no secret: {error}") from None


def _settings(
    rendezvous: str,
    ntp: Sequence[str],
    local_port: int | None,
    timeout_s: float | None,
    relay: RelayPolicy = "auto",
) -> Settings:
    try:
        if relay not in RELAY_POLICIES:
            raise ValueError(f"relay is one of {', '.join(RELAY_POLICIES)}, not {relay!r}")
        check_ntp(ntp)
        limit_ns = None if timeout_s is None else timeout_ns(timeout_s)
    except ValueError as error:
        raise UsageError(f"an argument makes no sense: {error}") from None
    return Settings(rendezvous, tuple(ntp), local_port, limit_ns, relay=relay)

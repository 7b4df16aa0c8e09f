"""midair from Python: connections of programs, many over one between the two hosts.

::

    await peer.serve("127.0.0.1:80", rendezvous=URL, on_code=print)     # has the target

    await peer.bind(code, ["127.0.0.1:8080"], rendezvous=URL)           # listens, as ssh -L does
    async with peer.dial(code, rendezvous=URL) as dialer:               # or opens streams itself
        stream = await dialer.open()

Each of the two others goes with ``serve`` and with ``midair listen --forward``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar, Unpack

from peer.api_arguments import Options, joining, opening
from peer.api_session import Emit, beside, opened, run
from peer.apps.forward import TAKES, Binding, Serving
from peer.core.mux import DEFAULT
from peer.core.places import PlaceError, TcpPlace, parse_pattern, parse_place
from peer.core.trace import Connected
from peer.errors import BrokenError, UsageError
from peer.io.mux import Mux
from peer.io.mux_stream import MuxStream
from peer.io.offer import exchange
from peer.io.runner import Session

Parsed = TypeVar("Parsed")


async def serve(
    target: str | None,
    *,
    on_code: Callable[[str], None] | None = None,
    allow: Sequence[str] = (),
    on_event: Emit = lambda _: None,
    **options: Unpack[Options],
) -> None:
    """Let the partner reach a target, until it leaves.

    Args:
        target: ``HOST:PORT`` or ``unix:PATH``; None: only what ``allow`` names.
        on_code: called with the code, which the partner must be given; needed without a secret.
        allow: other places that the partner may ask for, ``HOST:PORT``; ``*``, or a network,
            for many.
        on_event: told everything that happens, see :mod:`peer.core.trace`.
        options: see :class:`peer.api_arguments.Options`.

    Raises:
        MidairError: see :mod:`peer.errors`.
    """
    serving = Serving(
        None if target is None else _parsed(parse_place, target),
        tuple(_parsed(parse_pattern, text) for text in allow),
    )
    await run(opening(on_code, options, on_event), serving, on_event)


async def bind(
    code: str | None,
    at: Sequence[str],
    *,
    to: str | None = None,
    on_event: Emit = lambda _: None,
    **options: Unpack[Options],
) -> None:
    """Listen, and lead whoever connects to the partner's target, until the partner leaves.

    Args:
        code: the partner's; None: with ``secret``.
        at: places to listen at, ``HOST:PORT``, ``PORT`` or ``unix:PATH``.
        to: another place than the partner's target, ``HOST:PORT``.
        on_event: told everything that happens; ``Forwarding`` says that it listens.
        options: see :class:`peer.api_arguments.Options`.

    Raises:
        MidairError: see :mod:`peer.errors`.
    """
    asked = None if to is None else _asked(to)
    binding = Binding(tuple(_parsed(parse_place, text) for text in at), asked)
    try:
        binding.claim(on_event)
        await run(joining(code, options, on_event), binding, on_event)
    finally:
        binding.release()


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens streams to what the partner serves; made by :func:`dial`."""

    facts: Connected
    """How the connection came about."""
    _mux: Mux

    async def open(self, place: str | None = None) -> MuxStream:
        """Open a stream; it waits while 24 are open.

        Args:
            place: ``HOST:PORT``, which the partner's ``allow`` must name; None: its target.

        Returns:
            The stream: ``read``, ``write``, ``write_eof``, ``abort``.

        Raises:
            PlaceRefusedError: the partner or the target says no.
            StreamResetError: the connection broke.
        """
        return await self._mux.open(DEFAULT if place is None else str(_asked(place)))


def dial(
    code: str | None = None, *, on_event: Emit = lambda _: None, **options: Unpack[Options]
) -> AbstractAsyncContextManager[Dialer]:
    """Join a partner that serves something, and open streams to it.

    Args:
        code: the partner's; None: with ``secret``.
        on_event: told everything that happens.
        options: see :class:`peer.api_arguments.Options`.

    Returns:
        An async context manager; streams that are open when it is left are broken.

    Raises:
        MidairError: see :mod:`peer.errors`.
    """
    return _dialer(joining(code, options, on_event))


@asynccontextmanager
async def _dialer(connecting: Session) -> AsyncIterator[Dialer]:
    async with opened(connecting) as (won, stream):
        await exchange(stream, TAKES)
        mux = Mux(stream, opens=True)
        async with beside(_carry(mux), cancel=True):
            yield Dialer(won.connected, mux)


async def _carry(mux: Mux) -> None:
    with suppress(BrokenError):  # every stream tells its user, and so does the end
        await mux.run()


def _asked(text: str) -> TcpPlace:
    place = _parsed(parse_place, text)
    if not isinstance(place, TcpPlace):
        raise UsageError("a partner is asked for HOST:PORT; a unix socket only its owner forwards")
    return place


def _parsed(parse: Callable[[str], Parsed], text: str) -> Parsed:
    try:
        return parse(text)
    except PlaceError as error:
        raise UsageError(str(error)) from None

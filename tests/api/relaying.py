"""A relay on loopback, in this process, and clients of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

from rendezvous.clock import SystemClock
from rendezvous.protocol import relay as codec
from rendezvous.protocol.messages import Seat
from rendezvous.protocol.relay import Status
from rendezvous.protocol.times import US_PER_S
from rendezvous.relay import Bounds, Relay
from rendezvous.tokens import Tokens
from tests.api.server import PATIENCE_S

SESSION, OTHER_SESSION = "5" * 32, "6" * 32
TOKENS = Tokens()
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], contextlib.AbstractAsyncContextManager[Streams]]


@contextlib.asynccontextmanager
async def relaying(**changes: Any) -> AsyncIterator[tuple[Relay, Connect]]:
    """Run a relay; give it and what connects to it."""
    bounds: dict[str, Any] = {
        "connections": 20,
        "pairs": 5,
        "per_client": 20,
        "header_s": PATIENCE_S,
        "wait_s": PATIENCE_S,
        "idle_s": PATIENCE_S,
    }
    relay = Relay(SystemClock(), TOKENS, Bounds(**(bounds | changes)))
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    address = sock.getsockname()
    await relay.listen([sock])

    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[Streams]:
        reader, writer = await asyncio.open_connection(*address)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    try:
        async with asyncio.timeout(PATIENCE_S):
            yield relay, connect
    finally:
        relay.close()


def header(seat: Seat, session: str = SESSION, *, life_us: int = 60 * US_PER_S) -> bytes:
    """Make the ticket of a seat, as the rendezvous would."""
    expiry_us = SystemClock().now_us() + life_us
    return codec.encode(TOKENS.mint_ticket(session, seat, expiry_us))


async def said(streams: Streams, data: bytes = b"") -> Status:
    """Send something; return the relay's next answer."""
    streams[1].write(data)
    return Status((await streams[0].readexactly(1))[0])


async def sit_down(a: Streams, b: Streams, session: str = SESSION) -> None:
    """Join two clients."""
    assert await said(a, header("a", session)) is Status.WAITING
    assert await said(b, header("b", session)) is Status.GO
    assert await said(a) is Status.GO

"""The reflector: tells a TCP client where it sees it (STUN Binding over TCP, RFC 8489).

Two listeners make a mapping's behaviour visible: a NAT that shows one local
port as two endpoints to two of them gives every flow its own.  A connection
stays open until the client closes it, for it holds the NAT's mapping while the
peer's SYNs go out from the same port.

Nothing a client sends may hurt the next one: garbage, floods, dawdling and not reading
end the connection, and nobody is kept from being answered by one address's many
sockets.  asyncio sets TCP_NODELAY on every socket it accepts.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rendezvous.accepting import accepting
from rendezvous.allowance import client_key
from rendezvous.clock import Clock
from rendezvous.descriptors import REFUSALS
from rendezvous.protocol import stun
from rendezvous.protocol.endpoints import Endpoint, EndpointError
from rendezvous.protocol.errors import ProtocolError
from rendezvous.tokens import Tokens

log = logging.getLogger(__name__)

AT_ONCE_OCTETS = 2 * stun.MAX_FRAME_OCTETS
"""Most that may be read of a client at one time: a peer sends one request of 56 octets. 256 KiB of
requests in one read took 0.15 s of processor time, in which nobody else was served."""
REFUSAL_S = 2.0
"""How long one of those has for its request: a round trip and a retransmission (RFC 6298)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The reflector's limits."""

    per_client: int
    total: int
    idle_s: float
    partial_s: float


@dataclass(slots=True)
class Reflector:
    """Listeners, and everything that their connections share."""

    clock: Clock
    tokens: Tokens
    bounds: Bounds
    closed: Callable[[], None] = lambda: None
    """Called when a connection was closed."""
    connections: set[_Connection] = field(default_factory=set)
    refusing: int = 0
    _per_client: Counter[str] = field(default_factory=Counter)
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def listen(self, sockets: list[socket.socket]) -> None:
        """Answer on these sockets from now on.

        Args:
            sockets: bound TCP sockets; owned from here on.
        """
        self._servers += await accepting(sockets, lambda: _Connection(self))

    def close(self) -> None:
        """Stop listening and end every connection."""
        for server in self._servers:
            server.close()
        for connection in tuple(self.connections):
            connection.close()

    def admit(self, connection: _Connection, client: str) -> str | None:
        """Count a connection in.

        Args:
            connection: a new one.
            client: its client key.

        Returns:
            None: welcome; else why not, for a person.
        """
        if self._per_client[client] >= self.bounds.per_client:
            return "too many connections from this address: close some and try again"
        if len(self.connections) >= self.bounds.total:
            return "the reflector is full: try again later"
        self._per_client[client] += 1
        self.connections.add(connection)
        return None

    def forget(self, connection: _Connection, client: str) -> None:
        """Count a connection out that was counted in."""
        self.connections.discard(connection)
        self._per_client[client] -= 1
        if self._per_client[client] <= 0:
            del self._per_client[client]


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, reflector: Reflector) -> None:
        self._reflector = reflector
        self._buffer = bytearray()
        self._client = ""
        self._refusal: str | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        try:
            self._seen = Endpoint.of(peer[0], peer[1])
        except (TypeError, EndpointError):  # gone before it was accepted
            self._refusal = "gone"
            transport.abort()
            return
        self._client = client_key(self._seen.address)
        self._refusal = self._reflector.admit(self, self._client)
        if self._refusal is None:
            self._expect_within(self._reflector.bounds.idle_s)
            return
        log.debug("> %s refused: %s", self._client, self._refusal)
        self._reflector.refusing += 1
        if self._reflector.refusing > REFUSALS:
            transport.abort()
        else:
            self._expect_within(REFUSAL_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reflector.closed()
        if self._deadline is not None:
            self._deadline.cancel()
        if self._refusal is None:
            self._reflector.forget(self, self._client)
        elif self._client:
            self._reflector.refusing -= 1

    def data_received(self, data: bytes) -> None:
        was_between_messages = not self._buffer
        self._buffer += data
        if len(self._buffer) > AT_ONCE_OCTETS:
            log.debug("< %s dropped: %d octets at once", self._client, len(self._buffer))
            self._transport.abort()
            return
        answered = False
        try:
            while (message := self._next_message()) is not None:
                self._answer(message)
                answered = True
        except ProtocolError as error:
            log.debug("< %s dropped: %s", self._client, error)
            self._transport.abort()
            return
        if self._refusal is not None:
            return
        if self._buffer and (answered or was_between_messages):
            # Once for each message: a client that sends an octet a second gets no more time.
            self._expect_within(self._reflector.bounds.partial_s)
        elif answered:
            self._expect_within(self._reflector.bounds.idle_s)

    def pause_writing(self) -> None:
        # Asks and does not read: its answers have filled the transport's buffer.
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()

    def _next_message(self) -> bytes | None:
        if len(self._buffer) < stun.HEADER_OCTETS:
            # Not STUN from its first octet: no need to wait for the rest of a header.
            if self._buffer and self._buffer[0] & 0xC0:
                raise ProtocolError("not a STUN message")
            return None
        length = stun.frame_length(bytes(self._buffer[: stun.HEADER_OCTETS]))
        if len(self._buffer) < length:
            return None
        message = bytes(self._buffer[:length])
        del self._buffer[:length]
        return message

    def _answer(self, data: bytes) -> None:
        message = stun.decode(data)
        if message.kind != "request":
            raise ProtocolError("not a request")
        if self._refusal is not None:
            code = stun.SERVER_ERROR_CODE
            self._write(stun.encode_binding_error(message.transaction_id, code, self._refusal))
            self._transport.close()
            return
        if message.unknown:
            code, words = stun.UNKNOWN_ATTRIBUTE_CODE, "Unknown Attribute"
            self._write(
                stun.encode_binding_error(message.transaction_id, code, words, message.unknown)
            )
            return
        token = None
        if message.session is not None:
            now_us = self._reflector.clock.now_us()
            token = self._reflector.tokens.mint(self._seen, message.session, now_us)
        self._write(stun.encode_binding_success(message.transaction_id, self._seen, token))

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _expect_within(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(seconds, self._transport.close)

"""Address tokens from the reflector, asked for as a peer does: STUN Binding over TCP.

Only what the load needs of RFC 8489; docs/protocol.md has the two attributes that are midair's.
"""

from __future__ import annotations

import asyncio
import secrets
import struct

from lab.bench.load.http import LoadError

_COOKIE = 0x2112A442
_REQUEST, _SUCCESS = 0x0001, 0x0101
_SESSION, _TOKEN = 0xC0D0, 0xC0D1
_HEADER = 20


class ReflectorConnection(asyncio.Protocol):
    """One connection to a reflector, from one local port; one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._awaited: asyncio.Future[str] | None = None
        self._transport: asyncio.Transport | None = None
        self.endpoint = ""
        """Where the reflector sees it: on loopback, where it is."""

    @classmethod
    async def open(cls, reflector: tuple[str, int], source: str) -> ReflectorConnection:
        """Connect from an address of this host."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, *reflector, local_addr=(source, 0))
        return connection

    def token(self, session: str) -> asyncio.Future[str]:
        """Ask for this endpoint's token for a session."""
        if self._transport is None or self._transport.is_closing():
            raise LoadError("the reflector has closed the connection")
        self._awaited = self._loop.create_future()
        self._transport.write(binding_request(session))
        return self._awaited

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        self.endpoint = f"{host}:{port}"

    def data_received(self, data: bytes) -> None:
        """Collect an answer, and hand its token over when it is whole."""
        self._buffer += data
        if len(self._buffer) < _HEADER:
            return
        whole = _HEADER + int.from_bytes(self._buffer[2:4], "big")
        if len(self._buffer) < whole:
            return
        message, self._buffer = self._buffer[:whole], self._buffer[whole:]
        awaited, self._awaited = self._awaited, None
        if awaited is None or awaited.done():
            return
        token = token_of(message)
        if token is None:
            awaited.set_exception(LoadError("the reflector gave no token"))
        else:
            awaited.set_result(token)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the one who waits."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(LoadError(f"the reflector hung up: {exc or 'FIN'}"))
        self._transport = None


def binding_request(session: str) -> bytes:
    """Make a Binding request that asks for a token."""
    name = session.encode("ascii")
    attribute = struct.pack("!HH", _SESSION, len(name)) + name + bytes(-len(name) % 4)
    return (
        struct.pack("!HHI", _REQUEST, len(attribute), _COOKIE) + secrets.token_bytes(12) + attribute
    )


def token_of(message: bytes) -> str | None:
    """Find the token in a Binding success; None in anything else."""
    if int.from_bytes(message[:2], "big") != _SUCCESS:
        return None
    position = _HEADER
    while position + 4 <= len(message):
        kind, length = struct.unpack_from("!HH", message, position)
        if kind == _TOKEN:
            return message[position + 4 : position + 4 + length].decode("ascii")
        position += 4 + length + -length % 4
    return None

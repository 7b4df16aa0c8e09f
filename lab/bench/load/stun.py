"""Address tokens from the reflector, asked for as a peer does: STUN Binding over TCP.

Only what the load needs of RFC 8489; docs/protocol.md has the two attributes that are midair's.
"""

from __future__ import annotations

import asyncio
import secrets
import struct

from lab.bench.load.asking import Asking, LoadError

_COOKIE = 0x2112A442
_REQUEST, _SUCCESS = 0x0001, 0x0101
_SESSION, _TOKEN = 0xC0D0, 0xC0D1
_HEADER = 20


class ReflectorConnection(Asking[str]):
    """A connection to a reflector, from one local port."""

    server = "the reflector"

    def __init__(self) -> None:
        super().__init__()
        self.endpoint = ""
        """Where the reflector sees it: on loopback, where it is."""

    def token(self, session: str) -> asyncio.Future[str]:
        """Ask for this endpoint's token for a session."""
        return self.ask(binding_request(session))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        super().connection_made(transport)
        host, port = transport.get_extra_info("sockname")
        self.endpoint = f"{host}:{port}"

    def whole(self, received: bytes) -> int:
        """Return the length of a message, once its header is there."""
        if len(received) < _HEADER:
            return 0
        return _HEADER + int.from_bytes(received[2:4], "big")

    def read(self, answer: bytes) -> str:
        """Find the token."""
        token = token_of(answer)
        if token is None:
            raise LoadError("the reflector gave no token")
        return token


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

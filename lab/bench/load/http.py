"""A client for HTTP/1.1 on one connection: only what the load needs, so that it is no bottleneck.

Requests are made as octets beforehand. Answers have a Content-Length or no body; anything else, and
any end of the connection, fails the one who waits.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


_SAME = (
    "host: rendezvous\r\naccept: application/json\r\naccept-encoding: gzip, deflate\r\n"
    "user-agent: python-httpx/0.28.1\r\ncontent-type: application/json\r\n"
)
"""What midair's own requests have."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    head: bytes
    body: bytes

    def json(self) -> dict[str, Any]:
        """Parse the body."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


class LoadError(Exception):
    """The server did not do what the load is about; the text is what came instead."""


def post(path: str, fields: dict[str, Any]) -> bytes:
    """Make a request."""
    body = json.dumps(fields, separators=(",", ":")).encode()
    length = f"connection: keep-alive\r\ncontent-length: {len(body)}"
    return f"POST {path} HTTP/1.1\r\n{_SAME}{length}\r\n\r\n".encode() + body


def get(path: str, *, last: bool = False) -> bytes:
    """Make a request without a body; after the last one the server closes the connection."""
    connection = "close" if last else "keep-alive"
    return f"GET {path} HTTP/1.1\r\n{_SAME}connection: {connection}\r\n\r\n".encode()


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._awaited: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection is closed."""

    @classmethod
    async def open(cls, server: tuple[str, int], source: str) -> Connection:
        """Connect from an address of this host."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, *server, local_addr=(source, 0))
        return connection

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; its answer is the future's result."""
        if self._transport is None or self._transport.is_closing():
            raise LoadError("the server has closed the connection")
        self._awaited = self._loop.create_future()
        self._transport.write(request)
        return self._awaited

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect an answer, and hand it over when it is whole."""
        self._buffer += data
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return
        end += len(_HEAD_END)
        head = self._buffer[:end]
        length = _LENGTH.search(head)
        whole = end + (int(length[1]) if length else 0)
        if len(self._buffer) < whole:
            return
        body, self._buffer = self._buffer[end:whole], self._buffer[whole:]
        awaited, self._awaited = self._awaited, None
        if awaited is not None and not awaited.done():
            awaited.set_result(Answer(int(head[9:12]), head, body))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the one who waits."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(LoadError(f"the connection was lost: {exc or 'FIN'}"))
        self._transport = None
        self.lost.set_result(None)

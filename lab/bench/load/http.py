"""A client for HTTP/1.1 on one connection: only what the load needs, so that it is no bottleneck.

Requests are made as octets beforehand. Answers have a Content-Length or no body; anything else, and
any end of the connection, fails the one who waits.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, NamedTuple

from lab.bench.load.asking import Asking

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


def post(path: str, fields: dict[str, Any]) -> bytes:
    """Make a request."""
    body = json.dumps(fields, separators=(",", ":")).encode()
    length = f"connection: keep-alive\r\ncontent-length: {len(body)}"
    return f"POST {path} HTTP/1.1\r\n{_SAME}{length}\r\n\r\n".encode() + body


def get(path: str, *, last: bool = False) -> bytes:
    """Make a request without a body; after the last one the server closes the connection."""
    connection = "close" if last else "keep-alive"
    return f"GET {path} HTTP/1.1\r\n{_SAME}connection: {connection}\r\n\r\n".encode()


class Connection(Asking[Answer]):
    """A connection to the rendezvous."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection is closed."""

    def whole(self, received: bytes) -> int:
        """Return the length of head and body, once the head is there."""
        end = received.find(_HEAD_END)
        if end < 0:
            return 0
        length = _LENGTH.search(received, 0, end + len(_HEAD_END))
        return end + len(_HEAD_END) + (int(length[1]) if length else 0)

    def read(self, answer: bytes) -> Answer:
        """Take head and body apart."""
        head, _, body = answer.partition(_HEAD_END)
        return Answer(int(head[9:12]), head + _HEAD_END, body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the one who waits."""
        super().connection_lost(exc)
        self.lost.set_result(None)

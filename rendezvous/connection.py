"""One HTTP connection: uvicorn's on httptools, with the time of arrival, limits, and problems only.

httptools parses all that has come at once, and uvicorn makes a request of each: 256 KiB of
pipelined requests would be 100 MB, so there is a limit on those.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rendezvous.allowance import client_key
from rendezvous.clock import Clock
from rendezvous.descriptors import REFUSALS
from rendezvous.joining import Joining
from rendezvous.middleware import Caller, stamp
from rendezvous.parking import RETRY_AFTER_US
from rendezvous.problems import blank, refuse
from rendezvous.protocol.errors import ProblemWord
from rendezvous.refusal import Refused

MAX_HEAD_OCTETS = 16 * 1024
"""httptools has no limit."""
MAX_PIPELINED = 8
"""Requests that may wait for the answer to an earlier one on their connection (RFC 9112 §9.3.2)."""
MAX_WRAPPING = 8
"""Octets for each of a body: a chunk of one octet has five around it (RFC 9112 §7.1)."""


@dataclass(slots=True)
class Admission:
    """Who may hold a connection; idle ones are kept for long, so one client gets only some."""

    total: int
    per_client: int
    trusts: Callable[[str], bool]
    """Tells a proxy of ours, which speaks for many clients."""
    _held: int = 0
    _refusing: int = 0
    _by_client: Counter[str] = field(default_factory=Counter)

    def enter(self, address: str) -> Refused | None:
        """Count a connection in.

        Args:
            address: where it comes from.

        Returns:
            None: welcome; else what its requests are answered with.
        """
        client = client_key(address)
        if self._by_client[client] >= self.per_client and not self.trusts(address):
            self._refusing += 1
            detail = "too many connections from this address: close some and try again"
            return Refused(ProblemWord.TOO_MANY, detail, retry_after_us=RETRY_AFTER_US)
        if self._held >= self.total:
            self._refusing += 1
            detail = "this server has as many connections as it may: try again"
            return Refused(ProblemWord.FULL, detail, retry_after_us=RETRY_AFTER_US)
        self._held += 1
        self._by_client[client] += 1
        return None

    @property
    def has_words(self) -> bool:
        """Tell whether one more refused client may stay to hear so."""
        return self._refusing <= REFUSALS

    def leave(self, address: str, refusal: Refused | None) -> None:
        """Count a connection out.

        Args:
            address: where it came from.
            refusal: what :meth:`enter` said.
        """
        if refusal is not None:
            self._refusing -= 1
            return
        client = client_key(address)
        self._held -= 1
        self._by_client[client] -= 1
        if not self._by_client[client]:
            del self._by_client[client]


def connection_class(
    clock: Clock,
    admission: Admission,
    *,
    head_s: float,
    body_octets: int,
    closed: Callable[[], None] = lambda: None,
) -> type[HttpToolsProtocol]:
    """Make uvicorn's protocol class for one server.

    Args:
        clock: where T2 comes from.
        admission: of its clients.
        head_s: how long a client may take to send the whole head of a request.
        body_octets: most of a request's body.
        closed: called when a connection was closed.

    Returns:
        What :class:`uvicorn.Config` takes as ``http``.
    """

    class Connection(_Connection):
        pass

    Connection.clock = clock
    Connection.admission = admission
    Connection.head_s = head_s
    Connection.closed = staticmethod(closed)
    Connection.request_octets = MAX_HEAD_OCTETS + MAX_WRAPPING * body_octets
    return Connection


class _TooManyPipelinedError(Exception):
    """A client sends requests faster than it takes their answers."""


class _Connection(HttpToolsProtocol):
    clock: Clock
    admission: Admission
    head_s: float
    request_octets: int
    closed: Callable[[], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A copy for each connection: it carries this one's time of arrival.
        self.app_state = dict(self.app_state)
        self._caller = Caller()
        self._caller.introduce(self.app_state)
        self._octets = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._joining = Joining(transport)
        super().connection_made(self._joining)
        self._head: asyncio.TimerHandle | None = self._hang_up_later()
        self._address = self.client[0] if self.client else ""
        self._refusal = self.admission.enter(self._address)
        if self._refusal is not None:
            self.app = _refusing(self._refusal)
            if not self.admission.has_words:
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head is not None:
            self._head.cancel()
        self.admission.leave(self._address, self._refusal)
        self._caller.leave()
        super().connection_lost(exc)
        self.closed()

    def data_received(self, data: bytes) -> None:
        stamp(self.app_state, self.clock.now_us())
        super().data_received(data)
        cycle: Any = self.cycle  # None before the first request's head
        # Also while the rest comes of a request that was refused before its end.
        is_head_awaited = cycle is None or cycle.response_complete
        is_whole = cycle is not None and not cycle.more_body
        self._caller.has_said_all = is_whole and not is_head_awaited
        self._count(len(data), cycle is None or is_whole, is_head_awaited)
        if is_head_awaited and self._head is None:
            self._head = self._hang_up_later()
        elif not is_head_awaited and self._head is not None:
            self._head.cancel()
            self._head = None

    def _count(self, octets: int, is_head: bool, is_awaited: bool) -> None:
        self._octets = 0 if is_head and not is_awaited else self._octets + octets
        too_long = self._octets > (MAX_HEAD_OCTETS if is_head else self.request_octets)
        if too_long and not self.transport.is_closing():
            self.send_400_response("the request is longer than any of this server's")

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            # Whatever is raised here ends the parsing, and is answered with 400.
            raise _TooManyPipelinedError
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self._joining.flush()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            msg = f"more than {MAX_PIPELINED} requests at once: wait for an answer before the next"
        # What is no HTTP at all is 400, not the 422 of a message with wrong fields.
        problem = blank(HTTPStatus.BAD_REQUEST, msg)
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: {problem.media_type}\r\n"
        head += f"content-length: {len(problem.body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode("ascii") + bytes(problem.body))
        self.transport.close()

    def _hang_up_later(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.head_s, self.transport.abort)


def _refusing(refused: Refused) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = refuse(refused)
        response.headers["connection"] = "close"
        await response(scope, receive, send)

    return app

"""One HTTP connection: uvicorn's, with the time of arrival, limits, and problems only."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from rendezvous.allowance import client_key
from rendezvous.clock import Clock
from rendezvous.descriptors import REFUSALS
from rendezvous.middleware import stamp
from rendezvous.parking import RETRY_AFTER_US
from rendezvous.problems import blank, refuse
from rendezvous.protocol.errors import ProblemWord
from rendezvous.refusal import Refused


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


def connection_class(clock: Clock, admission: Admission, head_s: float) -> type[H11Protocol]:
    """Make uvicorn's protocol class for one server.

    Args:
        clock: where T2 comes from.
        admission: of its clients.
        head_s: how long a client may take to send the whole head of a request.

    Returns:
        What :class:`uvicorn.Config` takes as ``http``.
    """

    class Connection(_Connection):
        pass

    Connection.clock = clock
    Connection.admission = admission
    Connection.head_s = head_s
    return Connection


class _Connection(H11Protocol):
    clock: Clock
    admission: Admission
    head_s: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A copy for each connection: it carries this one's time of arrival.
        self.app_state = dict(self.app_state)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
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
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        stamp(self.app_state, self.clock.now_us())
        super().data_received(data)
        is_head_awaited = self.conn.their_state is h11.IDLE
        if is_head_awaited and self._head is None:
            self._head = self._hang_up_later()
        elif not is_head_awaited and self._head is not None:
            self._head.cancel()
            self._head = None

    def send_400_response(self, msg: str) -> None:
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

"""What happens to a request before its route: a time stamp, and limits on its body.

FastAPI has a limit on the body's size of its own (``max_body_size``), but says
so in plain text whatever the app's handlers say; everything that this server
refuses is a problem.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rendezvous.clock import Clock

_RECEIVED = "midair.received_us"
_CALLER = "midair.caller"
_LENGTH = b"content-length"


class Caller:
    """What a connection knows of its client, for the one request that is being handled."""

    __slots__ = ("has_left", "has_said_all", "on_leaving")

    def __init__(self) -> None:
        """Begin with a client that is there."""
        self.has_left = False
        self.has_said_all = False
        """The request is here to its last octet."""
        self.on_leaving: Callable[[], None] | None = None
        """Called when it leaves.  ASGI tells so by ``http.disconnect``, which needs a task that
        listens for it, for each parked request."""

    def leave(self) -> None:
        """Note that the client has gone."""
        self.has_left = True
        if self.on_leaving is not None:
            self.on_leaving()

    def introduce(self, state: dict[str, object]) -> None:
        """Make the caller known to the handlers of its requests.

        Args:
            state: what the server puts into ``scope["state"]``.
        """
        state[_CALLER] = self


def caller_of(scope: Scope) -> Caller:
    """Return a request's client; under a server that knows nothing of it one that stays.

    Args:
        scope: of the request.
    """
    caller: Caller | None = scope.get("state", {}).get(_CALLER)
    return caller or Caller()


class Arrival:
    """Notes when a request came (T2), and gives up on a body that is late or long."""

    def __init__(self, app: ASGIApp, clock: Clock, body_octets: int, body_s: float) -> None:
        """Wrap an app."""
        self.app = app
        self._clock = clock
        self._body_octets = body_octets
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection event, as ASGI has it."""
        # The server saw the octets before anybody parsed them, if it is ours.
        first_octet_us = scope.get("state", {}).get(_RECEIVED)
        scope[_RECEIVED] = self._clock.now_us() if first_octet_us is None else first_octet_us
        if scope["type"] == "http":
            receive = _bounded(scope, receive, self._body_octets, self._body_s)
        await self.app(scope, receive, send)


def received_us(request: Request) -> int:
    """Return when the request came, in the rendezvous's clock."""
    stamp: int = request.scope[_RECEIVED]
    return stamp


def stamp(state: dict[str, object], now_us: int) -> None:
    """Let a server say when the octets of the next request came.

    Args:
        state: what the server puts into ``scope["state"]``.
        now_us: the rendezvous's time.
    """
    state[_RECEIVED] = now_us


def _bounded(scope: Scope, receive: Receive, body_octets: int, body_s: float) -> Receive:
    caller = caller_of(scope)
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + body_s
    whole = False
    announced = next((value for name, value in scope["headers"] if name == _LENGTH), b"0")
    # The server has checked that the header is a number, and holds the client to it.
    left = body_octets if int(announced) <= body_octets else -1

    async def receive_within() -> Message:
        nonlocal whole, left
        if whole:
            return await receive()
        if left >= 0 and caller.has_said_all:
            message = await receive()
            left -= len(message.get("body", b""))
        elif left >= 0:
            try:
                async with asyncio.timeout_at(deadline_s):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"the body took more than {body_s:g} s") from None
            left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, f"a request may have {body_octets} octets")
        whole = not message.get("more_body", False)
        return message

    return receive_within

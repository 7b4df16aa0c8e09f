"""The short way of a valid message to its handler.

FastAPI's own way from a request's octets to a handler's arguments goes through a router, three exit
stacks, Python's JSON and the solving of dependencies: half of the processor time of a pairing, and
a third of what a parked poll weighs, for handlers that have no dependency.  Here a body that
pydantic takes as the handler's message goes straight to the handler.

Only what is usual goes this way.  A request that is unusual in any respect (another media type, a
body that is no message, a path that is nobody's, a client that has gone) is handed to FastAPI as
if nobody had looked at it, so that every such refusal is FastAPI's.  What the handlers take and
answer is described to FastAPI alone, and read from there.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rendezvous.problems import failed, refuse, refuse_http
from rendezvous.refusal import Refused

_MEDIA_TYPE, _JSON = b"content-type", b"application/json"


@dataclass(frozen=True, slots=True)
class _Handler:
    """A coroutine function that takes a message, the request and parameters of the path."""

    path: re.Pattern[str]
    call: Callable[..., Awaitable[Response]]
    message_name: str
    message: type[BaseModel]
    in_path: dict[str, TypeAdapter[Any]]

    @classmethod
    def of(cls, route: BaseRoute) -> _Handler | None:
        """Read a route; None: its handler is of another kind."""
        if not isinstance(route, APIRoute) or route.methods != {"POST"} or route.dependencies:
            return None
        hints = get_type_hints(route.endpoint, include_extras=True)
        if hints.pop("return", None) is not Response or hints.pop("request", None) is not Request:
            return None
        messages = [n for n, t in hints.items() if inspect.isclass(t) and issubclass(t, BaseModel)]
        if len(messages) != 1 or set(hints) - set(messages) != set(route.param_convertors):
            return None
        message = hints.pop(messages[0])
        in_path = {name: TypeAdapter[Any](hint) for name, hint in hints.items()}
        return cls(route.path_regex, route.endpoint, messages[0], message, in_path)

    def arguments(self, given: dict[str, str], body: bytes) -> dict[str, Any] | None:
        """Validate what the handler takes; None: it is not valid."""
        try:
            values: dict[str, Any] = {
                name: adapter.validate_python(given[name]) for name, adapter in self.in_path.items()
            }
            values[self.message_name] = self.message.model_validate_json(body)
        except ValidationError:
            return None
        return values


class ShortWay:
    """Middleware: carries valid messages to the handlers of an app's routes."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        """Wrap an app.

        Args:
            app: what gets everything else.
            routes: the app's own.
        """
        self.app = app
        handlers = [_Handler.of(route) for route in routes]
        self._handlers = [handler for handler in handlers if handler is not None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection event, as ASGI has it."""
        handler, given = self._find(scope)
        if handler is None:
            await self.app(scope, receive, send)
            return
        response = await self._answer(handler, given, scope, receive, send)
        if response is not None:
            await response(scope, receive, send)

    async def _answer(
        self, handler: _Handler, given: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> Response | None:
        """Ask a handler; None: the request was not for it after all, and is answered."""
        try:
            received, arguments = await _read(receive, handler, given)
        except HTTPException as error:
            return refuse_http(error)
        if arguments is None:
            await self.app(scope, _again(received, receive), send)
            return None
        # A parked poll keeps what these variables hold.
        del received
        try:
            return await handler.call(request=Request(scope, receive), **arguments)
        except Refused as refused:
            return refuse(refused)
        except HTTPException as error:
            return refuse_http(error)
        except Exception:
            # As Starlette does: the client hears of it, and the server logs it.
            await failed()(scope, receive, send)
            raise

    def _find(self, scope: Scope) -> tuple[_Handler | None, dict[str, str]]:
        if scope["type"] == "http" and scope["method"] == "POST" and _is_json(scope["headers"]):
            for handler in self._handlers:
                if (match := handler.path.match(scope["path"])) is not None:
                    return handler, match.groupdict()
        return None, {}


def _is_json(headers: list[tuple[bytes, bytes]]) -> bool:
    # Of several the first is FastAPI's.
    return next((value for name, value in headers if name == _MEDIA_TYPE), None) == _JSON


async def _read(
    receive: Receive, handler: _Handler, given: dict[str, str]
) -> tuple[list[Message], dict[str, Any] | None]:
    received = [await receive()]
    while received[-1].get("more_body", False):
        received.append(await receive())
    if received[-1]["type"] == "http.disconnect":
        return received, None
    body = b"".join(message.get("body", b"") for message in received)
    return received, handler.arguments(given, body)


def _again(received: list[Message], receive: Receive) -> Receive:
    """Let somebody else receive the same messages, and then what follows."""
    rest = iter(received)

    async def receive_again() -> Message:
        for message in rest:
            return message
        return await receive()

    return receive_again

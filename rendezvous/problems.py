"""Refusals as RFC 9457 problem details, whoever refuses: our rules, pydantic or Starlette."""

from __future__ import annotations

import http
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from rendezvous.protocol.errors import (
    PROBLEM_MEDIA_TYPE,
    PROBLEM_URN,
    STATUS,
    Problem,
    ProblemWord,
)
from rendezvous.protocol.messages import PROTOCOL_VERSION
from rendezvous.protocol.times import US_PER_S
from rendezvous.refusal import Refused
from rendezvous.version import VERSION

_TITLES: dict[ProblemWord, str] = {
    ProblemWord.MALFORMED: "The request is not valid",
    ProblemWord.VERSION: "Another version of the protocol is spoken here",
    ProblemWord.UNKNOWN_NAMEPLATE: "Nobody waits under this nameplate",
    ProblemWord.CROWDED: "Both seats are taken",
    ProblemWord.FORBIDDEN: "This seat is somebody else's",
    ProblemWord.CLOSED: "The session is over",
    ProblemWord.STALE_TOKEN: "An address token does not hold any more",
    ProblemWord.TOO_MANY: "Too many requests from this address",
    ProblemWord.FULL: "The server is full",
    ProblemWord.GOING_AWAY: "The server is shutting down",
    ProblemWord.NOT_FOUND: "There is no such resource",
    ProblemWord.INTERNAL: "The server failed",
}


def refuse(refused: Refused) -> Response:
    """Turn a refusal of ours into a response.

    Args:
        refused: what was raised.

    Returns:
        The problem, with Retry-After (RFC 9110 §10.2.3) where asking again helps.
    """
    word = refused.word
    headers = {}
    if refused.retry_after_us is not None:
        headers["Retry-After"] = str(-(-refused.retry_after_us // US_PER_S))
    problem = Problem(
        type=PROBLEM_URN + word, title=_TITLES[word], status=STATUS[word], detail=refused.detail
    )
    return _response(problem, headers)


_RETRY_AFTER = {
    "description": "Seconds after which it is worth asking again (RFC 9110 §10.2.3)",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_RETRIED = (ProblemWord.TOO_MANY, ProblemWord.FULL, ProblemWord.GOING_AWAY)
_PLAIN = (http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""Refusals of every request with a body that need no word of ours."""


def documented(*words: ProblemWord, body: bool = True) -> dict[int | str, dict[str, Any]]:
    """Describe the problems of a route for its OpenAPI.

    Args:
        words: what the route may refuse with.
        body: whether its requests have one.

    Returns:
        FastAPI's ``responses``.
    """
    content = {PROBLEM_MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    responses: dict[int | str, dict[str, Any]] = {
        int(status): {"description": status.phrase, "content": content}
        for status in (_PLAIN if body else ())
    }
    for word in words:
        description = f"`{word}`: {_TITLES[word]}"
        known = responses.get(STATUS[word])
        if known is not None:
            known["description"] += f"; {description}"
            continue
        responses[STATUS[word]] = {"description": description, "content": content}
        if word in _RETRIED:
            responses[STATUS[word]]["headers"] = {"Retry-After": _RETRY_AFTER}
    return responses


def require_version(version: object) -> None:
    """Refuse a client that speaks another version of the protocol.

    Args:
        version: what its message says.

    Raises:
        Refused: ``version``, with the sentence that says what to install.
    """
    if version == PROTOCOL_VERSION:
        return
    series = ".".join(VERSION.split(".")[:2])
    raise Refused(
        ProblemWord.VERSION,
        f"this rendezvous is midair {VERSION} and speaks protocol {PROTOCOL_VERSION}, "
        f"this peer speaks {version}: install midair {series}.x on both peers "
        f'(pip install "midair=={series}.*"), or use a rendezvous of the peers\' version',
    )


def install(app: FastAPI) -> None:
    """Make every refusal of an app a problem; no client sees a traceback.

    Args:
        app: any app.
    """
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_failure)


async def _on_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refuse(error)


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Another version's message need not look like ours: its version is the thing to say.
    if isinstance(error.body, dict) and type(error.body.get("version")) is int:
        try:
            require_version(error.body["version"])
        except Refused as refused:
            return refuse(refused)
    # Never the input itself: it holds the seat secret.
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return refuse(Refused(ProblemWord.MALFORMED, f"{place}: {first['msg']}"))


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refuse_http(error)


def refuse_http(error: HTTPException) -> Response:
    """Turn a refusal of Starlette's or FastAPI's into a response.

    Args:
        error: what was raised.

    Returns:
        The problem.
    """
    if error.status_code == http.HTTPStatus.NOT_FOUND:
        return refuse(Refused(ProblemWord.NOT_FOUND, "see /openapi.json for what there is"))
    if error.status_code == http.HTTPStatus.BAD_REQUEST:
        return refuse(Refused(ProblemWord.MALFORMED, error.detail))
    return blank(http.HTTPStatus(error.status_code), error.detail, dict(error.headers or {}))


def blank(status: http.HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Make a problem that has no word of ours.

    Args:
        status: says it all (RFC 9457 §4.2.1, ``about:blank``).
        detail: what happened here.
        headers: to be added.

    Returns:
        The response.
    """
    problem = Problem(type="about:blank", title=status.phrase, status=status, detail=detail)
    return _response(problem, headers or {})


def failed() -> Response:
    """Make the answer to a request at which this server has failed."""
    return refuse(Refused(ProblemWord.INTERNAL, "the server's log says how"))


async def _on_failure(_: Request, __: Exception) -> Response:
    return failed()


def _response(problem: Problem, headers: dict[str, str]) -> Response:
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )

"""The routes that need no seat: whether the server is well, its time, what it understands."""

from __future__ import annotations

import functools
import json

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from rendezvous.clock import Clock
from rendezvous.middleware import received_us
from rendezvous.parking import Parking, going_away
from rendezvous.problems import documented, refuse
from rendezvous.protocol.errors import ProblemWord as Word
from rendezvous.protocol.messages import TimeResponse
from rendezvous.timekeeping import TimeReply

ANY = (Word.TOO_MANY, Word.FULL, Word.INTERNAL)
"""Refusals of every request: the first two on a connection too many."""


def add_health(app: FastAPI, parking: Parking) -> None:
    """Add what tells an operator whether the server is well.

    Args:
        app: gets the routes.
        parking: knows whether the server is going away.
    """

    @app.get(
        "/livez",
        summary="The process answers",
        response_class=PlainTextResponse,
        responses=documented(*ANY, body=False),
    )
    async def livez() -> Response:
        return PlainTextResponse("ok\n")

    @app.get(
        "/readyz",
        summary="It takes new sessions",
        response_class=PlainTextResponse,
        responses=documented(*ANY, Word.GOING_AWAY, body=False),
    )
    async def readyz() -> Response:
        if parking.draining:
            return refuse(going_away())
        return PlainTextResponse("ready\n")


def add_description(app: FastAPI) -> None:
    """Add what the server understands, as OpenAPI has it.

    FastAPI's own route renders it anew for each client: milliseconds in which nobody else is
    served.

    Args:
        app: gets the route, which describes itself no more than FastAPI's does.
    """

    @functools.cache
    def described() -> bytes:
        return json.dumps(app.openapi(), ensure_ascii=False, separators=(",", ":")).encode()

    @app.get("/openapi.json", include_in_schema=False)
    async def description() -> Response:
        return Response(described(), media_type="application/json")


def add_time(app: FastAPI, clock: Clock) -> None:
    """Add what tells the time.

    Args:
        app: gets the route.
        clock: this server's.
    """

    @app.get(
        "/v1/time",
        response_model=TimeResponse,
        summary="T2 and T3 of RFC 5905, in this server's clock",
        responses=documented(*ANY, body=False),
    )
    async def time(request: Request) -> Response:
        return TimeReply(received_us(request), clock)

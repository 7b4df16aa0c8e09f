"""The routes that need no seat: whether the server is well, and what time it has."""

from __future__ import annotations

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

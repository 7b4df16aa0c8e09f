"""The HTTP side: thin routes from messages to the store and back.

No route decides anything: pydantic refuses what is no message, the store and its
sessions refuse what may not be, :mod:`rendezvous.problems` says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Path, Request, Response
from pydantic import BaseModel

from rendezvous.asking import client_of, credentials
from rendezvous.clock import Clock
from rendezvous.links import linked
from rendezvous.middleware import Arrival
from rendezvous.parking import Parking
from rendezvous.plain import ANY, add_description, add_health, add_time
from rendezvous.problems import documented, install, require_version
from rendezvous.protocol.errors import ProblemWord as Word
from rendezvous.protocol.messages import (
    MAX_ATTEMPTS,
    PROTOCOL_VERSION,
    Appointment,
    AttemptRequest,
    AttemptResponse,
    JoinRequest,
    LeaveRequest,
    Nameplate,
    OpenRequest,
    Seated,
    Verdict,
    WaitRequest,
    WaitResponse,
)
from rendezvous.protocol.relay import encode_ticket
from rendezvous.session import Answer
from rendezvous.settings import Settings
from rendezvous.short import ShortWay
from rendezvous.store import Partner, Place, Store
from rendezvous.version import VERSION

_EVERY = (*ANY, Word.MALFORMED, Word.VERSION)
_SEATED = (*_EVERY, Word.FORBIDDEN, Word.CLOSED)
AttemptPath = Annotated[int, Path(ge=1, le=MAX_ATTEMPTS)]
NameplatePath = Annotated[Nameplate, Path(description="the number in front of the code")]


def create_app(
    settings: Settings,
    clock: Clock,
    store: Store,
    *,
    reflectors: tuple[str, ...] = (),
    relays: tuple[str, ...] = (),
) -> FastAPI:
    """Build the app.

    Args:
        settings: all that can be set.
        clock: the rendezvous's time.
        store: where the sessions are.
        reflectors: what :class:`Seated` tells peers.
        relays: the same; none: there is no relay.

    Returns:
        The app; ``app.state.parking`` is its :class:`Parking`, for the one who stops it, and
        ``app.state.entrance`` what is served: the app behind its middleware.
    """
    app = FastAPI(
        title="midair rendezvous",
        version=VERSION,
        summary="Where two peers agree the instant at which their SYNs cross.",
        servers=[{"url": settings.public_url}] if settings.public_url else None,
        # Both pages load scripts from elsewhere; /openapi.json has everything.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.parking = parking = Parking(store, settings.poll_us)
    seated = _seating(settings, store, reflectors, relays)
    install(app)
    add_description(app)
    add_health(app, parking)
    add_time(app, clock)
    _add_seats(app, settings, clock, store, seated)
    _add_join(app, settings, clock, store, parking, seated)
    _add_wait(app, settings, clock, store, parking, has_relay=bool(relays))
    _add_attempts(app, settings, clock, store, parking)
    # Not by add_middleware(), which puts five layers of FastAPI's and Starlette's around it.
    short = ShortWay(app, app.routes)
    app.state.entrance = Arrival(
        short, clock, body_octets=settings.max_body_octets, body_s=settings.body_s
    )
    return app


def _seating(
    settings: Settings, store: Store, reflectors: tuple[str, ...], relays: tuple[str, ...]
) -> Callable[[Place], Seated]:
    def seated(place: Place) -> Seated:
        return Seated(
            version=PROTOCOL_VERSION,
            nameplate=place.nameplate,
            session=place.session,
            seat=place.seat,
            ttl_us=store.ttl_us,
            reflectors=reflectors,
            partner_pake=place.partner_pake,
            relays=relays,
            relay_limits=settings.relay_limits if relays else None,
            partner_relay=place.partner_relay,
        )

    return seated


def _add_seats(
    app: FastAPI,
    settings: Settings,
    clock: Clock,
    store: Store,
    seated: Callable[[Place], Seated],
) -> None:
    @app.post(
        "/v1/sessions",
        response_model=Seated,
        status_code=201,
        summary="Open a session and take its first seat",
        responses=documented(*_EVERY, Word.CROWDED, Word.FORBIDDEN) | linked(201),
    )
    async def open_session(message: OpenRequest, request: Request) -> Response:
        require_version(message.version)
        client, now_us = client_of(request, settings), clock.now_us()
        place = await store.open(
            message.secret,
            client,
            now_us,
            nameplate=message.nameplate,
            pake=message.pake,
            relay=message.relay,
        )
        return _json(seated(place), status=201)

    @app.post(
        "/v1/sessions/{nameplate}/leave",
        status_code=204,
        operation_id="leave",
        summary="Give the seat up; the partner hears the reason",
        responses=documented(*_EVERY, Word.FORBIDDEN),
    )
    async def leave(nameplate: NameplatePath, message: LeaveRequest, request: Request) -> Response:
        who = credentials(nameplate, message, request, settings)
        await store.leave(who, message.reason, clock.now_us())
        return Response(status_code=204)


def _add_join(
    app: FastAPI,
    settings: Settings,
    clock: Clock,
    store: Store,
    parking: Parking,
    seated: Callable[[Place], Seated],
) -> None:
    settled_us = clock.now_us() + settings.settle_us

    @app.post(
        "/v1/sessions/{nameplate}/join",
        response_model=Seated,
        operation_id="join",
        summary="Take the second seat",
        responses=documented(
            *_EVERY, Word.UNKNOWN_NAMEPLATE, Word.CROWDED, Word.FORBIDDEN, Word.GOING_AWAY
        )
        | linked(200),
    )
    async def join(nameplate: NameplatePath, message: JoinRequest, request: Request) -> Response:
        require_version(message.version)
        client = client_of(request, settings)

        async def known() -> bool | None:
            return await store.knows(nameplate, clock.now_us()) or None

        async def awaited() -> bool | None:
            return await store.awaits(nameplate, clock.now_us()) or None

        if message.wait_us:
            await parking.wait(request, nameplate, message.wait_us, awaited)
        # A server that was restarted has forgotten who waits here: the next poll tells it.
        elif (left_us := settled_us - clock.now_us()) > 0:
            await parking.wait(request, nameplate, left_us, known)
        now_us = clock.now_us()
        place = await store.join(
            nameplate, message.secret, client, now_us, pake=message.pake, relay=message.relay
        )
        return _json(seated(place))


def _add_wait(
    app: FastAPI,
    settings: Settings,
    clock: Clock,
    store: Store,
    parking: Parking,
    *,
    has_relay: bool,
) -> None:
    @app.post(
        "/v1/sessions/{nameplate}/wait",
        response_model=WaitResponse,
        operation_id="wait",
        summary="Wait until the partner has taken the other seat",
        responses=documented(*_SEATED, Word.GOING_AWAY),
    )
    async def wait(nameplate: NameplatePath, message: WaitRequest, request: Request) -> Response:
        who = credentials(nameplate, message, request, settings)

        async def ask() -> Partner | None:
            partner = await store.partner(who, clock.now_us())
            return partner if partner.is_there else None

        # Asked before parking: the session may have to be made again first.
        partner = await ask() or await parking.wait(request, who.session, message.wait_us, ask)
        return _NOBODY_YET if partner is None else _json(_wait_response(partner, has_relay))


def _add_attempts(
    app: FastAPI, settings: Settings, clock: Clock, store: Store, parking: Parking
) -> None:
    # How many requests wait for what becomes of a report: a lost one may still be parked when
    # its peer asks again.
    holders: Counter[tuple[str, str, int]] = Counter()

    @app.post(
        "/v1/sessions/{nameplate}/attempts/{attempt}",
        response_model=AttemptResponse,
        operation_id="attempt",
        summary="Hand in the report for an attempt; wait for its appointment",
        responses=documented(*_SEATED, Word.STALE_TOKEN, Word.GOING_AWAY),
    )
    async def attempt_(
        nameplate: NameplatePath, attempt: AttemptPath, message: AttemptRequest, request: Request
    ) -> Response:
        who = credentials(nameplate, message, request, settings)

        async def ask() -> Answer | None:
            return await store.answer(who, attempt, clock.now_us())

        answer = await store.report(who, attempt, message.report, clock.now_us())
        if answer is None:
            held = (who.session, who.seat, attempt)
            holders[held] += 1
            try:
                answer = await parking.wait(request, who.session, message.wait_us, ask)
            finally:
                holders[held] -= 1
                if not holders[held]:
                    del holders[held]
                    if answer is None:
                        await store.withdraw(who, attempt, clock.now_us())
            # The partner may have come while the poll was ending: no answer would be a lie.
            answer = answer or await ask()
        return _json(_attempt_response(answer or Answer()))


def _wait_response(partner: Partner, has_relay: bool) -> WaitResponse:
    ticket = partner.ticket if has_relay else None
    return WaitResponse(
        version=PROTOCOL_VERSION,
        partner=True,
        left=partner.left,
        partner_pake=partner.pake,
        partner_relay=partner.relay,
        ticket=None if ticket is None else encode_ticket(ticket),
    )


def _attempt_response(answer: Answer) -> AttemptResponse:
    outcome = answer.outcome
    return AttemptResponse(
        version=PROTOCOL_VERSION,
        appointment=outcome if isinstance(outcome, Appointment) else None,
        verdict=outcome if isinstance(outcome, Verdict) else None,
        left=answer.left,
    )


def _json(message: BaseModel, status: int = 200) -> Response:
    return Response(message.model_dump_json(), status, media_type="application/json")


_NOBODY_YET = _json(WaitResponse(version=PROTOCOL_VERSION, partner=False))
"""Ends nearly every poll of a waiting peer."""

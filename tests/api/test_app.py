"""The HTTP side without sockets: routes, limits, and problems of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from rendezvous.protocol.errors import PROBLEM_MEDIA_TYPE, ProblemWord
from rendezvous.protocol.messages import Seated, TimeResponse
from tests.api.server import (
    client_of,
    make_app,
    meet,
    open_session,
    problem,
)
from tests.fakes.server import NOW_US, SECRET_A, SECRET_B, SECRET_C

OPEN = {"version": 1, "secret": SECRET_A}


async def test_open_gives_the_first_seat_and_the_reflectors(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/sessions", json=OPEN)
    assert answer.status_code == 201
    seated = Seated.model_validate_json(answer.content)
    assert (seated.seat, seated.ttl_us) == ("a", 600_000_000)
    assert seated.reflectors == ("*:8081", "*:8082")
    assert (await client.post("/v1/sessions", json=OPEN)).json() == answer.json()


async def test_third_client_is_crowded(client: httpx.AsyncClient) -> None:
    meeting = await meet(client)
    third = {"version": 1, "secret": SECRET_C}
    said = problem(await client.post(f"{meeting.path}/join", json=third), 409)
    assert said.word is ProblemWord.CROWDED


async def test_time_is_two_instants_of_this_clock(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/time")
    times = TimeResponse.model_validate_json(answer.content)
    assert times == TimeResponse(version=1, received_us=NOW_US, sent_us=NOW_US)
    assert len(answer.content) == int(answer.headers["content-length"])


async def test_other_version_is_told_what_to_install(client: httpx.AsyncClient) -> None:
    for body in ({"version": 2, "secret": SECRET_A}, {"version": 2, "other": "form"}):
        said = problem(await client.post("/v1/sessions", json=body), 400)
        assert said.word is ProblemWord.VERSION
        assert "pip install" in said.detail


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/v1/sessions", None, 405),
        ("POST", "/v1/sessions", b"{", 422),
        ("POST", "/v1/sessions", b"\xff\xfe", 422),
        ("POST", "/v1/sessions", b"[]", 422),
        ("POST", "/v1/sessions", b'{"version":"1"}', 422),
        ("POST", "/v1/sessions/0/join", b'{"version":1}', 422),
        ("POST", "/v1/sessions/7/attempts/17", b'{"version":1}', 422),
        ("POST", "/v1/sessions", b" " * 65_537, 413),
    ],
)
async def test_what_is_no_request_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, body: bytes | None, status: int
) -> None:
    headers = {"content-type": "application/json"}
    problem(await client.request(method, path, content=body, headers=headers), status)


async def test_body_that_grows_too_long_is_a_problem(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1024

    headers = {"content-type": "application/json"}
    problem(await client.post("/v1/sessions", content=chunks(), headers=headers), 413)


async def test_body_that_never_ends_is_a_problem() -> None:
    app, _ = make_app(body_s=0.01)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    headers = {"content-type": "application/json"}
    async with client_of(app) as client:
        problem(await client.post("/v1/sessions", content=stuck(), headers=headers), 408)


async def test_invalid_secret_is_not_repeated(client: httpx.AsyncClient) -> None:
    body = {"version": 1, "secret": "hush" * 16}
    assert "hush" not in problem(await client.post("/v1/sessions", json=body), 422).detail


async def test_failure_of_the_server_shows_no_traceback(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("private")

    answer = await client.get("/fail")
    assert problem(answer, 500).word is ProblemWord.INTERNAL
    assert "private" not in answer.text


async def test_address_that_asks_too_often_must_wait_and_another_need_not() -> None:
    app, clock = make_app(visits=1)
    async with client_of(app) as client, client_of(app, "2001:db8::1") as other:
        await open_session(client)
        answer = await client.post("/v1/sessions", json={"version": 1, "secret": SECRET_B})
        assert problem(answer, 429).word is ProblemWord.TOO_MANY
        assert answer.headers["retry-after"] == "1"
        await open_session(other, SECRET_C)
        clock.us += 1_000_000
        await open_session(client, SECRET_B)


@pytest.mark.parametrize(
    ("trusted", "forwarded", "statuses"),
    [
        ((), ("203.0.113.1", "203.0.113.2"), [201, 429]),
        (("198.51.100.0/24",), ("203.0.113.1", "203.0.113.2"), [201, 201]),
        (("198.51.100.0/24",), ("6.6.6.6, 203.0.113.1", "7.7.7.7, 203.0.113.1"), [201, 429]),
    ],
)
async def test_forwarded_address_counts_only_from_a_trusted_proxy(
    trusted: tuple[str, ...], forwarded: tuple[str, ...], statuses: list[int]
) -> None:
    app, _ = make_app(visits=1, trusted_proxies=trusted)
    async with client_of(app) as client:
        answers = [
            await client.post(
                "/v1/sessions",
                json={"version": 1, "secret": f"{number:064x}"},
                headers={"x-forwarded-for": hops},
            )
            for number, hops in enumerate(forwarded)
        ]
    assert [answer.status_code for answer in answers] == statuses


async def test_openapi_describes_every_refusal_as_a_problem(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()
    post = described["paths"]["/v1/sessions/{nameplate}/attempts/{attempt}"]["post"]
    assert set(post["responses"]) >= {
        "200",
        "400",
        "403",
        "408",
        "410",
        "413",
        "412",
        "422",
        "429",
        "500",
        "503",
    }
    for path in described["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if not status.startswith("2"):
                    assert list(response["content"]) == [PROBLEM_MEDIA_TYPE]


async def test_pake_messages_when_the_peers_exchange_keys_are_passed_on_once(
    client: httpx.AsyncClient,
) -> None:
    pake_a, pake_b = "53" + "a" * 64, "53" + "b" * 64
    opened = (await client.post("/v1/sessions", json=OPEN | {"pake": pake_a})).json()
    assert opened["partner_pake"] is None
    path = f"/v1/sessions/{opened['nameplate']}"
    second = {"version": 1, "secret": SECRET_B, "pake": pake_b}
    joined = (await client.post(f"{path}/join", json=second)).json()
    assert joined["partner_pake"] == pake_a
    seat = {"session": opened["session"], "seat": "a", "wait_us": 0}
    waited = await client.post(f"{path}/wait", json=OPEN | seat | {"pake": pake_a})
    assert waited.json() == {
        "version": 1,
        "partner": True,
        "left": None,
        "partner_pake": pake_b,
        "partner_relay": None,
        "ticket": None,
    }
    guess = await client.post(f"{path}/join", json=second | {"pake": pake_a})
    assert problem(guess, 403).word is ProblemWord.FORBIDDEN
    short = await client.post("/v1/sessions", json=OPEN | {"pake": pake_a[:-2]})
    assert problem(short, 422).word is ProblemWord.MALFORMED

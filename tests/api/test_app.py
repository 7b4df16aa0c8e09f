"""The HTTP side without sockets: routes, problems, long polls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from rendezvous.parking import MAX_PARKED_PER_SESSION
from rendezvous.protocol.errors import PROBLEM_MEDIA_TYPE, Problem, ProblemWord
from rendezvous.protocol.messages import AttemptResponse, Seated, TimeResponse, WaitResponse
from tests.api.server import (
    POLL_US,
    Meeting,
    client_of,
    join,
    make_app,
    meet,
    open_session,
    parked,
)
from tests.fakes.server import NOW_US, SECRET_A, SECRET_B, SECRET_C

OPEN = {"version": 1, "secret": SECRET_A}


@pytest.fixture
def app() -> FastAPI:
    return make_app()[0]


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as ready:
        yield ready


def problem(answer: httpx.Response, status: int) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    said = Problem.model_validate_json(answer.content)
    assert said.status == status
    return said


async def attempt(
    client: httpx.AsyncClient, meeting: Meeting, seat: str, wait_us: int = POLL_US
) -> AttemptResponse:
    endpoint = "198.51.100.2:30000" if seat == "a" else "203.0.113.2:30000"
    body = meeting.attempt(seat, endpoint, wait_us)
    answer = await client.post(f"{meeting.path}/attempts/1", json=body)
    assert answer.status_code == 200, answer.text
    return AttemptResponse.model_validate_json(answer.content)


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


async def test_listener_wakes_when_the_partner_comes_and_no_other_does(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    mine, other = await open_session(client), await open_session(client, SECRET_C)
    async with asyncio.TaskGroup() as group:
        posts = [
            group.create_task(
                client.post(f"{m.path}/wait", json=m.seat("a", wait_us=POLL_US) | {"secret": s})
            )
            for m, s in ((mine, SECRET_A), (other, SECRET_C))
        ]
        await parked(app, 2)
        await join(client, mine)
        answer = await posts[0]
        assert WaitResponse.model_validate_json(answer.content).partner
        assert len(app.state.parking) == 1
        left = other.seat("a", reason="interrupted") | {"secret": SECRET_C}
        assert (await client.post(f"{other.path}/leave", json=left)).status_code == 204
        problem(await posts[1], 410)


async def test_second_report_gives_both_the_same_instant(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    meeting = await meet(client)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(attempt(client, meeting, "a"))
        await parked(app, 1)
        theirs = (await attempt(client, meeting, "b")).appointment
        mine = (await first).appointment
    assert mine is not None
    assert theirs is not None
    assert mine.instant_us == theirs.instant_us > NOW_US
    assert (mine.pairs[0].remote, theirs.pairs[0].remote) == (
        "203.0.113.2:30000",
        "198.51.100.2:30000",
    )
    assert (await attempt(client, meeting, "a")).appointment == mine


@pytest.mark.parametrize("wait_us", [0, 1_000])
async def test_report_whose_poll_ended_is_not_planned_with_until_its_peer_asks_again(
    app: FastAPI, client: httpx.AsyncClient, wait_us: int
) -> None:
    meeting = await meet(client)
    assert (await attempt(client, meeting, "a", wait_us=wait_us)) == AttemptResponse(version=1)
    async with asyncio.TaskGroup() as group:
        # By now a may be learning anew, with other ports: nobody may be sent to the old ones.
        waiting = group.create_task(attempt(client, meeting, "b"))
        await parked(app, 1)
        body = meeting.attempt("a", "198.51.100.2:31000", 0)
        answer = await client.post(f"{meeting.path}/attempts/1", json=body)
        theirs = (await waiting).appointment
    mine = AttemptResponse.model_validate_json(answer.content).appointment
    assert mine is not None
    assert theirs is not None
    assert theirs.pairs[0].remote == "198.51.100.2:31000"


async def test_partner_that_leaves_is_heard_by_a_parked_attempt(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    meeting = await meet(client)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(attempt(client, meeting, "a"))
        await parked(app, 1)
        await client.post(f"{meeting.path}/leave", json=meeting.seat("b", reason="port_in_use"))
        assert (await first).left == "port_in_use"


async def test_poll_without_an_answer_ends_empty_in_its_time(client: httpx.AsyncClient) -> None:
    meeting = await open_session(client)
    for wait_us in (0, 1_000):
        body = meeting.seat("a", wait_us=wait_us)
        answer = await client.post(f"{meeting.path}/wait", json=body)
        assert answer.json() == {"version": 1, "partner": False, "left": None}
    await join(client, meeting)
    assert await attempt(client, meeting, "a", wait_us=1_000) == AttemptResponse(version=1)


async def test_polls_beyond_a_session_s_share_push_out_the_oldest(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    meeting = await open_session(client)
    body = meeting.seat("a", wait_us=POLL_US)
    async with asyncio.TaskGroup() as group:
        posts = [group.create_task(client.post(f"{meeting.path}/wait", json=body))]
        for count in range(1, MAX_PARKED_PER_SESSION + 1):
            await parked(app, count)
            posts.append(group.create_task(client.post(f"{meeting.path}/wait", json=body)))
        assert (await posts[0]).json()["partner"] is False
        await parked(app, MAX_PARKED_PER_SESSION)
        await join(client, meeting)
        assert (await posts[-1]).json()["partner"] is True


async def test_poll_is_as_long_as_the_server_allows() -> None:
    impatient, _ = make_app(poll_s=0.01)
    async with client_of(impatient) as client:
        meeting = await open_session(client)
        body = meeting.seat("a", wait_us=POLL_US)
        answer = await client.post(f"{meeting.path}/wait", json=body)
    assert answer.json() == {"version": 1, "partner": False, "left": None}


async def test_join_right_after_a_start_waits_for_who_was_there_before(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    before = Meeting("1314", "0" * 32)
    async with asyncio.TaskGroup() as group:
        joining = group.create_task(join(client, before))
        await parked(app, 1)
        body = before.seat("a", wait_us=POLL_US)
        answer = await client.post(f"{before.path}/wait", json=body)
        assert answer.json()["partner"] is True
        await joining


async def test_join_under_an_unknown_nameplate_is_refused_once_the_server_has_settled() -> None:
    app, clock = make_app(settle_s=0.01)
    async with client_of(app) as client:
        for _ in range(2):
            answer = await client.post("/v1/sessions/7/join", json=OPEN)
            assert problem(answer, 404).word is ProblemWord.UNKNOWN_NAMEPLATE
            clock.us += 10_000


async def test_join_that_waits_hears_that_the_server_goes(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    async with asyncio.TaskGroup() as group:
        joining = group.create_task(client.post("/v1/sessions/7/join", json=OPEN))
        await parked(app, 1)
        app.state.parking.drain()
        assert problem(await joining, 503).word is ProblemWord.GOING_AWAY


async def test_parked_and_later_polls_hear_that_the_server_goes(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    meeting = await open_session(client)
    body = meeting.seat("a", wait_us=POLL_US)
    assert (await client.get("/readyz")).status_code == 200
    async with asyncio.TaskGroup() as group:
        post = group.create_task(client.post(f"{meeting.path}/wait", json=body))
        await parked(app, 1)
        app.state.parking.drain()
        answers = [await post, await client.post(f"{meeting.path}/wait", json=body)]
    for answer in (*answers, await client.get("/readyz")):
        assert problem(answer, 503).word is ProblemWord.GOING_AWAY
        assert int(answer.headers["retry-after"]) > 0
    assert (await client.get("/livez")).status_code == 200


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

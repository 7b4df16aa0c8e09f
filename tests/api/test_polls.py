"""Long polls without sockets: who is woken, who is told, and what a restart leaves to wait for."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from rendezvous.parking import MAX_PARKED_PER_SESSION
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import AttemptResponse, WaitResponse
from tests.api.server import (
    POLL_US,
    Meeting,
    client_of,
    join,
    make_app,
    meet,
    open_session,
    parked,
    problem,
)
from tests.fakes.server import NOW_US, SECRET_A, SECRET_C

NOBODY = WaitResponse(version=1, partner=False).model_dump(mode="json")
OPEN = {"version": 1, "secret": SECRET_A}


async def attempt(
    client: httpx.AsyncClient, meeting: Meeting, seat: str, wait_us: int = POLL_US
) -> AttemptResponse:
    endpoint = "198.51.100.2:30000" if seat == "a" else "203.0.113.2:30000"
    body = meeting.attempt(seat, endpoint, wait_us)
    answer = await client.post(f"{meeting.path}/attempts/1", json=body)
    assert answer.status_code == 200, answer.text
    return AttemptResponse.model_validate_json(answer.content)


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
        assert answer.json() == NOBODY
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
    assert answer.json() == NOBODY


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

"""Usual requests take the short way, unusual ones FastAPI's, and nobody can tell by the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Message, Scope

from rendezvous.protocol.errors import Problem, ProblemWord
from tests.api.server import join, open_session
from tests.fakes.server import SECRET_A, SECRET_B, SECRET_C

JSON = {"content-type": "application/json"}


class Counter:
    """How many requests FastAPI's own routes have handled."""

    def __init__(self) -> None:
        self.handled = 0


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counter = Counter()
    handle = APIRoute.handle

    async def counted(self: APIRoute, *args: Any) -> None:
        counter.handled += 1
        await handle(self, *args)

    monkeypatch.setattr(APIRoute, "handle", counted)
    return counter


async def test_every_message_of_a_session_goes_the_short_way(
    client: httpx.AsyncClient, long_way: Counter
) -> None:
    meeting = await open_session(client)
    await join(client, meeting)
    wait = await client.post(f"{meeting.path}/wait", json=meeting.seat("a", wait_us=0))
    body = meeting.attempt("a", "198.51.100.2:30000", wait_us=0)
    report = await client.post(f"{meeting.path}/attempts/1", json=body)
    leave = await client.post(f"{meeting.path}/leave", json=meeting.seat("a", reason="done"))
    assert [answer.status_code for answer in (wait, report, leave)] == [200, 200, 204]
    assert long_way.handled == 0


@pytest.mark.parametrize(
    ("path", "content", "headers", "status", "says"),
    [
        ("/v1/sessions", b"{", JSON, 422, "body.1: JSON decode error"),
        ("/v1/sessions", b"{}", JSON, 422, "body.version: Field required"),
        ("/v1/sessions", b"\xff", JSON, 422, "parsing the body"),
        ("/v1/sessions/0123/join", b"{}", JSON, 422, "path.nameplate: "),
        ("/v1/sessions/1234/attempts/99", b"{}", JSON, 422, "path.attempt: "),
        ("/v1/sessions/1234/attempts/one", b"{}", JSON, 422, "path.attempt: "),
    ],
)
async def test_what_is_no_message_goes_the_long_way(
    client: httpx.AsyncClient,
    long_way: Counter,
    path: str,
    content: bytes,
    headers: dict[str, str],
    status: int,
    says: str,
) -> None:
    answer = await client.post(path, content=content, headers=headers)
    assert answer.status_code == status
    assert says in Problem.model_validate_json(answer.content).detail
    assert long_way.handled == 1


@pytest.mark.parametrize(
    ("media_type", "encoding", "status"),
    [
        ("application/json; charset=utf-8", "utf-8", 201),
        ("application/json", "utf-16", 201),
        ("application/problem+json", "utf-8", 201),
        ("text/plain", "utf-8", 422),
    ],
)
async def test_message_in_another_form_is_what_fastapi_takes_it_for(
    client: httpx.AsyncClient, long_way: Counter, media_type: str, encoding: str, status: int
) -> None:
    content = json.dumps({"version": 1, "secret": SECRET_A}).encode(encoding)
    answer = await client.post(
        "/v1/sessions", content=content, headers={"content-type": media_type}
    )
    assert answer.status_code == status
    assert long_way.handled == 1


async def test_refusal_is_the_same_on_both_ways(
    client: httpx.AsyncClient, long_way: Counter
) -> None:
    meeting = await open_session(client)
    await join(client, meeting)
    body = json.dumps({"version": 1, "secret": SECRET_C})
    said = []
    for media_type in ("application/json", "application/json; charset=utf-8"):
        headers = {"content-type": media_type}
        said.append(await client.post(f"{meeting.path}/join", content=body, headers=headers))
    assert long_way.handled == 1
    assert said[0].content == said[1].content
    assert said[0].headers == said[1].headers
    assert Problem.model_validate_json(said[0].content).word is ProblemWord.CROWDED


async def test_other_methods_and_paths_are_refused_as_ever(
    client: httpx.AsyncClient, long_way: Counter
) -> None:
    assert (await client.put("/v1/sessions", content=b"{}", headers=JSON)).status_code == 405
    assert (await client.post("/v1/nothing", content=b"{}", headers=JSON)).status_code == 404
    assert (await client.post("/v1/sessions/1/join/x", content=b"{}", headers=JSON)).is_error


def _asgi(path: str, messages: Iterator[Message]) -> tuple[Scope, Any]:
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json")],
        "client": ("198.51.100.2", 50000),
    }

    async def receive() -> Message:
        return next(messages)

    return scope, receive


async def test_body_in_pieces_is_put_together(app: FastAPI, long_way: Counter) -> None:
    body = json.dumps({"version": 1, "secret": SECRET_B}).encode()
    pieces: list[Message] = [
        {"type": "http.request", "body": body[:7], "more_body": True},
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.request", "body": body[7:], "more_body": False},
    ]
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope, receive = _asgi("/v1/sessions", iter(pieces))
    await app.state.entrance(scope, receive, send)
    assert sent[0]["status"] == 201
    assert json.loads(sent[1]["body"])["seat"] == "a"
    assert long_way.handled == 0


async def test_client_that_goes_within_its_body_leaves_no_session(
    app: FastAPI, long_way: Counter
) -> None:
    body = json.dumps({"version": 1, "secret": SECRET_B}).encode()
    pieces: list[Message] = [
        {"type": "http.request", "body": body, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope, receive = _asgi("/v1/sessions", iter(pieces))
    await app.state.entrance(scope, receive, send)
    assert sent[0]["status"] == 422
    assert long_way.handled == 1

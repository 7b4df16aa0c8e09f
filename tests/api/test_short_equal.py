"""Whatever is asked, the answer is the same with the short way and without it."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.middleware import Arrival
from rendezvous.short import ShortWay
from tests.api.server import Meeting, client_of, make_app
from tests.fakes.server import SECRET_A

NAMEPLATE, SESSION = "4321", "5" * 32
MEETING = Meeting(NAMEPLATE, SESSION)
OPEN = {"version": 1, "secret": SECRET_A, "nameplate": NAMEPLATE}
JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain")
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/sessions", OPEN),
    (f"{MEETING.path}/wait", MEETING.seat("a", wait_us=0)),
    (f"{MEETING.path}/attempts/1", MEETING.attempt("a", "198.51.100.2:30000", wait_us=0)),
    (f"{MEETING.path}/leave", MEETING.seat("a", reason="done")),
]
"""A server that knows nothing makes the session that the last three name."""
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, 2, 25_000_000, "a", "b", "done", "", "1", SECRET_A, NAMEPLATE]),
    st.floats(),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
)


def long_app() -> FastAPI:
    app = make_app(poll_s=0.01)[0]
    outer: Any = app.state.entrance
    assert isinstance(outer, Arrival)
    assert isinstance(outer.app, ShortWay)
    outer.app = outer.app.app
    return app


async def said(app: FastAPI, request: httpx.Request) -> tuple[int, Any, dict[str, str]]:
    async with client_of(app) as client:
        answer = await client.send(request)
    headers = dict(answer.headers)
    if answer.is_success and b'"session"' in answer.content:
        return answer.status_code, sorted(answer.json()), headers
    return answer.status_code, answer.content, headers


async def agree(request: httpx.Request) -> int:
    """Ask both; return the status."""
    short = await said(make_app(poll_s=0.01)[0], request)
    assert short == await said(long_app(), request)
    return short[0]


def post(path: str, content: bytes, *headers: tuple[bytes, bytes]) -> httpx.Request:
    return httpx.Request(
        "POST", f"http://rendezvous{path}", content=content, headers=list(headers) or [JSON]
    )


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/sessions", [JSON], 201),
        ("/v1/sessions", [JSON, TEXT], 201),
        ("/v1/sessions", [TEXT, JSON], 422),
        ("/v1/sessions", [], 201),
        ("/v1/sessions?x=1", [JSON], 201),
        ("/v1/sessions", [JSON, (b"content-encoding", b"gzip")], 201),
        ("/v1/sessions", [JSON, (b"x-forwarded-for", b"203.0.113.9")], 201),
        ("/v1/sessions/", [JSON], 307),
        ("/v1/sessions%0A", [JSON], 201),
        ("//v1/sessions", [JSON], 404),
        ("/v1/Sessions", [JSON], 404),
    ],
)
async def test_unusual_request_is_answered_alike(
    path: str, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    assert await agree(post(path, json.dumps(OPEN).encode(), *headers)) == status


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"\xef\xbb\xbf" + json.dumps(OPEN).encode(), 201),
        (json.dumps(OPEN | {"secret": "\ud800" * 64}).encode(), 422),
        (json.dumps(OPEN | {"secret": "ä" * 64}, ensure_ascii=False).encode("latin-1"), 422),
        (b'{"version": 1, "version": 2, "secret": "%s"}' % SECRET_A.encode(), 400),
        (b'{"version": 1e0, "secret": "%s"}' % SECRET_A.encode(), 422),
        (b'{"version": 1, "secret": "%s", "x": NaN}' % SECRET_A.encode(), 201),
        (b"[" * 5_000 + b"]" * 5_000, 422),
        (b"", 422),
        (b"null", 422),
    ],
)
async def test_unusual_json_is_answered_alike(content: bytes, status: int) -> None:
    assert await agree(post("/v1/sessions", content)) == status


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List where there is anything in a JSON value."""
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


@st.composite
def changed(draw: st.DrawFn) -> httpx.Request:
    """Draw a request whose message is changed in one place."""
    path, body = draw(st.sampled_from(REQUESTS))
    body = copy.deepcopy(body)
    *way, last = draw(st.sampled_from(places(body)[1:]))
    holder: Any = body
    for step in way:
        holder = holder[step]
    match draw(st.sampled_from(("other", "gone", "more"))):
        case "other":
            holder[last] = draw(SCALARS)
        case "gone":
            del holder[last]
        case _ if isinstance(holder, dict):
            holder[f"{last}_"] = draw(SCALARS)
    return post(path, json.dumps(body).encode())


@given(changed())
def test_message_that_is_changed_is_answered_alike(request: httpx.Request) -> None:
    asyncio.run(agree(request))

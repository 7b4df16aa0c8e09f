"""Whatever is sent to the HTTP port: a problem or a close, and the server serves on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rendezvous.protocol.errors import PROBLEM_MEDIA_TYPE, Problem
from tests.api.fuzz import AT_ONCE, MESSAGES, SHORT, bent_bytes, bent_json, converse
from tests.loopback.faults.rendezvous.server import Server, carries_a_session

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a server, which must have said nothing in the end, no traceback either."""
    with Server(**SHORT) as running:
        yield running


def check(status: int, kind: str, body: bytes) -> None:
    """Check one answer."""
    assert 100 <= status < 500, (status, body)
    if status >= 400:
        assert kind == PROBLEM_MEDIA_TYPE, (status, kind, body)
        assert Problem.model_validate_json(body).status == status


def answers(heard: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Take a connection's bytes apart: status, content type and body of each answer."""
    while heard:
        head, end, heard = heard.partition(b"\r\n\r\n")
        assert end, head
        first, *lines = head.decode("ascii").split("\r\n")
        version, status, *_ = first.split(" ")
        assert version == "HTTP/1.1"
        fields = dict(line.split(": ", 1) for line in lines)
        length = int(fields.get("content-length", "0"))
        yield int(status), fields.get("content-type", ""), heard[:length]
        heard = heard[length:]


def request(path: str, message: Any, *fields: str) -> bytes:
    """Return a right request of one's own making."""
    body = json.dumps(message).encode()
    lines = [f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", *fields]
    lines += [f"content-length: {len(body)}", "connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


REQUESTS = [
    *(request(path, message) for path, message in MESSAGES.items()),
    request("/v1/sessions", MESSAGES["/v1/sessions"], "expect: 100-continue"),
    b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
    b'content-type: application/json\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n',
    b"GET /v1/time HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
]
SENT = st.sampled_from(REQUESTS).flatmap(bent_bytes) | st.binary(max_size=200)


def test_bytes_when_they_are_no_request_are_refused_or_the_connection_is_closed(
    server: Server,
) -> None:
    @settings(max_examples=60)
    @given(sent=st.lists(SENT, min_size=1, max_size=AT_ONCE), reset=st.booleans())
    @example(sent=REQUESTS, reset=False)
    @example(sent=[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00"], reset=False)
    @example(sent=[b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n"], reset=False)
    @example(
        sent=[request("/v1/sessions", 0, f"content-length: {10**n}") for n in (3, 25)], reset=False
    )
    def attack(sent: list[bytes], reset: bool) -> None:
        for heard in converse(server.port, sent, reset=reset):
            for answer in answers(heard):
                check(*answer)

    attack()
    carries_a_session(server.url)


def test_json_when_it_is_no_message_is_refused(server: Server) -> None:
    with httpx.Client(base_url=server.url, headers=JSON) as client:

        @settings(max_examples=400)
        @given(data=st.data(), path=st.sampled_from(sorted(MESSAGES)))
        def attack(data: st.DataObject, path: str) -> None:
            message = data.draw(bent_json(MESSAGES[path]))
            said = client.post(path, content=json.dumps(message))
            check(said.status_code, said.headers.get("content-type", ""), said.content)

        attack()
    carries_a_session(server.url)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"version":' * 5_000,
        b'{"version":' + b"9" * 5_000 + b"}",
        b'{"version":1e999}',
        b'{"version":NaN}',
        b'{"version":1,"secret":"\\ud800"}',
        b'{"version":1,"version":2}',
        b'\xef\xbb\xbf{"version":1}',
        b'{"version":1,"secret":"\xff"}',
        b" " * 60_000,
        b"",
        b"\x00",
        b"x" * 70_000,
    ],
    ids=lambda body: f"{bytes(body[:24])!r}*{len(body)}",
)
def test_body_when_it_is_extreme_is_refused(server: Server, body: bytes) -> None:
    with httpx.Client(base_url=server.url, headers=JSON) as client:
        for path in MESSAGES:
            said = client.post(path, content=body)
            check(said.status_code, said.headers.get("content-type", ""), said.content)
            assert said.status_code in (400, 413, 422)
        assert client.get("/livez").status_code == 200

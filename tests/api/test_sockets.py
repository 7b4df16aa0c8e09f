"""HTTP on real sockets, in this process: clients that go, clients that do not speak."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct

import httpx
import pytest

from rendezvous.connection import MAX_PIPELINED
from rendezvous.protocol.errors import PROBLEM_MEDIA_TYPE, Problem
from tests.api.server import (
    PATIENCE_S,
    POLL_US,
    Served,
    join,
    open_session,
    parked,
    send_request,
    serving,
    until,
)


def client_of(served: Served) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url="http://{}:{}".format(*served.http))


@pytest.mark.parametrize("how", ["fin", "half", "rst"])
async def test_client_that_goes_frees_its_waiter(how: str) -> None:
    async with serving() as served, client_of(served) as client:
        meeting = await open_session(client)
        body = meeting.seat("a", wait_us=POLL_US)
        sock = await asyncio.to_thread(send_request, served.http, f"{meeting.path}/wait", body)
        await parked(served.rendezvous.app, 1)
        if how == "half":
            sock.shutdown(socket.SHUT_WR)
        elif how == "rst":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how != "half":
            sock.close()
        await parked(served.rendezvous.app, 0)
        sock.close()
        await join(client, meeting)


async def test_closed_connections_of_both_kinds_are_counted_for_the_collector() -> None:
    async with serving() as served:
        for address in (served.http, served.reflectors[0]):
            _, writer = await asyncio.open_connection(*address)
            writer.close()
            await writer.wait_closed()
        await until(lambda: served.rendezvous.collector.counted == 2)


async def test_connection_serves_a_poll_and_what_follows() -> None:
    async with serving() as served, client_of(served) as client:
        meeting = await open_session(client)
        body = meeting.seat("a", wait_us=1_000)
        for _ in range(2):
            assert not (await client.post(f"{meeting.path}/wait", json=body)).json()["partner"]
        times = (await client.get("/v1/time")).json()
        assert times["received_us"] <= times["sent_us"]


async def exchange(served: Served, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*served.http)
    writer.write(data)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


async def test_what_is_not_http_is_a_problem_too() -> None:
    async with serving() as served:
        head, _, body = (await exchange(served, b"\x00\x01\x02\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert PROBLEM_MEDIA_TYPE.encode() in head
    # RFC 9457 §3.1.2: the status in the body is the one of the response.
    problem = Problem.model_validate(json.loads(body))
    assert (problem.type, problem.status) == ("about:blank", 400)


async def test_pipelined_requests_are_answered_in_turn() -> None:
    request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    last = b"GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with serving() as served:
        answers = await exchange(served, request * MAX_PIPELINED + last)
    statuses = re.findall(rb"HTTP/1.1 (\d+) ", answers)
    assert statuses == [b"200"] * MAX_PIPELINED + [b"404"]


async def test_client_that_pipelines_without_end_is_refused() -> None:
    request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    async with serving() as served:
        answer = await exchange(served, request * (2 + MAX_PIPELINED))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert "wait for an answer" in Problem.model_validate(json.loads(body)).detail


@pytest.mark.parametrize("before", [b"", b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"])
async def test_client_that_does_not_finish_a_head_is_dropped(
    before: bytes,
) -> None:
    async with serving(http_head_s=0.3) as served:
        reader, writer = await asyncio.open_connection(*served.http)
        async with asyncio.timeout(PATIENCE_S):
            if before:
                writer.write(before)
                assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200 ")
            writer.write(b"GET /livez HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


async def test_connection_above_the_limit_is_told_to_come_back() -> None:
    async with serving(http_sockets=1) as served, client_of(served) as client:
        assert (await client.get("/livez")).status_code == 200
        async with client_of(served) as extra:
            answer = await extra.get("/livez")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
        assert answer.headers["retry-after"]
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize(("trusted", "status"), [((), 429), (("127.0.0.0/8",), 200)])
async def test_address_with_many_connections_is_told_to_close_some_unless_it_is_a_proxy(
    trusted: tuple[str, ...], status: int
) -> None:
    async with (
        serving(http_per_client=4, trusted_proxies=trusted) as served,
        contextlib.AsyncExitStack() as stack,
    ):
        clients = [await stack.enter_async_context(client_of(served)) for _ in range(6)]
        for client in clients[:4]:
            assert (await client.get("/livez")).status_code == 200
        answer = await clients[4].get("/livez")
        assert answer.status_code == status
        if status == 429:
            assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
            assert answer.headers["retry-after"]
            assert answer.headers["connection"] == "close"
        # Another address is not kept out, and who closes one may open one.
        far = httpx.AsyncHTTPTransport(local_address="127.0.0.9")
        url = str(clients[0].base_url)
        async with httpx.AsyncClient(base_url=url, transport=far) as other:
            assert (await other.get("/livez")).status_code == 200
        await clients[0].get("/livez", headers={"connection": "close"})
        async with asyncio.timeout(PATIENCE_S):
            while (await clients[5].get("/livez")).status_code != 200:
                pass


async def test_head_without_an_end_is_a_problem() -> None:
    head = b"GET /livez HTTP/1.1\r\nhost: x\r\n" + b"x: " + b"y" * 20_000
    async with serving() as served:
        answer = await exchange(served, head)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert PROBLEM_MEDIA_TYPE.encode() in answer


async def test_trailers_without_an_end_do_not_fill_the_memory() -> None:
    head = b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
    async with serving(max_body_octets=1024) as served:
        reader, writer = await asyncio.open_connection(*served.http)
        writer.write(head)
        # It may answer and hang up before it has taken all.
        with contextlib.suppress(ConnectionError):
            for number in range(200):
                writer.write(b"x-%d: %s\r\n" % (number, b"y" * 200))
                await writer.drain()
            async with asyncio.timeout(PATIENCE_S):
                answer = await reader.read()
            assert not answer or answer.startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_refused_body_can_be_followed_by_another_request() -> None:
    long = b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    long += b"content-length: 2000\r\n\r\n"
    async with serving(max_body_octets=1024) as served:
        reader, writer = await asyncio.open_connection(*served.http)
        async with asyncio.timeout(PATIENCE_S):
            writer.write(long + b" " * 1000)
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 413 ")
            with contextlib.suppress(ConnectionError):
                writer.write(b" " * 1000 + b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
                answer = await reader.read(15)
                assert answer in (b"", b"HTTP/1.1 200 OK")
        writer.close()


async def test_continue_is_sent_before_the_body_is_awaited() -> None:
    body = json.dumps({"version": 1, "secret": "0" * 64}).encode()
    head = b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with serving() as served:
        reader, writer = await asyncio.open_connection(*served.http)
        async with asyncio.timeout(PATIENCE_S):
            writer.write(head)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            writer.write(body)
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 201 ")
        writer.close()

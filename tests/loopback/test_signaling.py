"""What becomes of a rendezvous's answers that are lost, late, or not what they should be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from peer.core.code import Code
from peer.core.secret import Secret
from peer.errors import RefusedError, UnreachableError, UsageError
from peer.io import asking, http, signaling
from peer.io.clock import SystemClock
from peer.io.identity import Identity
from peer.io.keying import Known
from peer.io.observe import resolve_reflectors
from peer.io.seating import Seating
from peer.io.signaling import Signaling
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import WaitResponse
from tests.loopback.programs import PATIENCE_S

SECRET = "5e" * 32
SEATED = (
    b'{"version":1,"nameplate":"7","session":"' + b"0" * 32 + b'","seat":"a","ttl_us":1,'
    b'"reflectors":["*:8081"]}'
)
PROBLEM = b'{"type":"urn:midair:problem:malformed","title":"no","status":422,"detail":"%s"}'


def answer(body: bytes, head: bytes = b"200 OK", kind: bytes = b"application/json") -> bytes:
    lines = [b"HTTP/1.1 " + head, b"content-type: " + kind, b"content-length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@asynccontextmanager
async def server(*answers: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answer each request with the next of these; None: not at all."""
    left, asked = list(answers), list[bytes]()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        # The client goes away in the middle of a request, or after one.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                asked.append(await reader.readexactly(length))
                said = left.pop(0)
                writer.write(said or b"")

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", asked
    finally:
        listening.close()
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def seat(url: str) -> AsyncIterator[Signaling]:
    sut = Signaling(url, SystemClock(), SECRET)
    try:
        yield sut
    finally:
        await sut.aclose()


async def test_answer_when_swallowed_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_TIMEOUT_S", 0.1)
    async with server(answer(SEATED), None, answer(SEATED)) as (url, asked), seat(url) as sut:
        await sut.open()
        assert (await sut.open()).nameplate == "7"
    assert asked[1] == asked[2]


async def test_patience_when_a_poll_was_parked_long_begins_with_the_first_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "ANSWER_TIMEOUT_S", 0.1)
    monkeypatch.setattr(signaling, "WAIT_POLL_US", 400_000)
    monkeypatch.setattr(asking, "LATER_TRIES_NS", 200_000_000)
    there = WaitResponse(version=1, partner=True).model_dump_json().encode()
    async with server(answer(SEATED), None, answer(there)) as (url, _), seat(url) as sut:
        await sut.open()
        assert (await sut.wait()).partner


async def test_problem_when_it_holds_control_characters_is_shown_without() -> None:
    said = answer(
        PROBLEM % b"\\u001b]0;owned\\u0007 and\\nmidair: run this",
        b"422 No",
        b"application/problem+json",
    )
    async with server(said) as (url, _), seat(url) as sut:
        with pytest.raises(RefusedError) as refused:
            await sut.open()
    assert str(refused.value).isprintable()
    assert "]0;owned and midair: run this" in str(refused.value)


async def test_retry_after_when_it_is_no_sensible_number_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "LATER_TRIES_NS", 0)
    body = b'{"type":"urn:midair:problem:full","title":"no","status":503}'
    head = b"503 No\r\nretry-after: " + b"9" * 5_000
    async with (
        server(answer(body, head, b"application/problem+json")) as (url, _),
        seat(url) as sut,
    ):
        with pytest.raises(RefusedError):
            await sut.open()


@pytest.mark.parametrize("joins", [True, False])
@pytest.mark.parametrize("known", [None, Code.parse("7-disable-quota"), Secret(bytes(16))])
async def test_certificate_is_made_while_the_first_answer_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch, known: Known | None, joins: bool
) -> None:
    made, identity = asyncio.Event(), Identity.make()

    def make() -> Identity:
        made.set()
        return identity

    monkeypatch.setattr(Identity, "make", make)
    async with (
        asyncio.timeout(PATIENCE_S),
        server(None) as (url, _),
        seat(url) as sut,
        asyncio.TaskGroup() as tasks,
    ):
        seating = Seating(sut, SystemClock(), lambda _: None, known)
        taking = seating.join(known) if known and joins else seating.open(2, lambda _: None)
        request = tasks.create_task(taking)
        await made.wait()
        assert not request.done()
        request.cancel()


async def test_name_when_nobody_knows_it_is_unreachable() -> None:
    async with seat("http://name.invalid:8080") as sut:
        with pytest.raises(UnreachableError, match=r"name\.invalid"):
            await sut.open()


@pytest.mark.parametrize("url", ["http://host:99999", "http://[::1", "ftp://host", "", "host:80"])
def test_url_when_it_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="not the URL"):
        Signaling(url, SystemClock(), SECRET)


async def test_reflectors_when_they_are_no_peer_s_business_are_left_out() -> None:
    own = ("192.0.2.10",)
    named = ["*:8081", "127.0.0.1:8082", "198.51.100.9:22", "198.51.100.9:8082", "10.9.9.9:8082"]
    hostile = ["*:0", "nonsense", "\udcff:1", "224.0.0.1:8081"]
    found = await resolve_reflectors([*hostile, *named], own)
    assert found == {4: [Endpoint("192.0.2.10", 8081), Endpoint("198.51.100.9", 8082)]}

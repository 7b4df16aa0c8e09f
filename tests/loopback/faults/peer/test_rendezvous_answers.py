"""What a rendezvous may answer that no rendezvous answers: a sentence, exit 3, and no more."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import zlib
from collections.abc import Iterator

import pytest

from peer.errors import RendezvousError, UnreachableError
from peer.io import asking
from peer.io import http as peer_http
from peer.io.answers import StaleTokenError
from peer.io.clock import SystemClock
from peer.io.signaling import Signaling
from rendezvous.protocol.messages import PROTOCOL_VERSION, Seated, WaitResponse
from tests.loopback.faults.peer.hostile import (
    CODE,
    Answer,
    Request,
    hostile,
    http,
    said,
)
from tests.loopback.faults.peer.process import ended, event, failure
from tests.loopback.programs import PATIENCE_S, Peer

MIB = 1024 * 1024
ENDLESS_OCTETS = 256 * MIB
BUFFERED_OCTETS = 16 * MIB
"""More than two kernels keep between two programs."""
PEER_KIB = 150 * 1024
"""Three times what a peer has."""
STRANGE = "the server at 127.0.0.1 answered what no rendezvous answers"


async def endless(request: Request, head: bytes, block: bytes) -> None:
    """Say something for as long as somebody takes it."""
    await request.say(head)
    while request.taken < ENDLESS_OCTETS and await request.say(block):
        pass


async def endless_body(request: Request) -> None:
    """Say a body in chunks, and never the last one."""
    block = b"10000\r\n" + b" " * 65536 + b"\r\n"
    await endless(request, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", block)


async def endless_headers(request: Request) -> None:
    """Say headers, and never the empty line."""
    await endless(request, b"HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n" * 4096)


async def endless_interim(request: Request) -> None:
    """Say that the answer is about to come."""
    await endless(request, b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 4096)


async def half(request: Request) -> None:
    """Say half of an answer, and nothing more."""
    await request.say(http(b'{"version":1}')[:-6])
    await asyncio.Event().wait()


async def drip(request: Request, head: bytes = b"content-length: 60000\r\n\r\n") -> None:
    """Say an octet now and then."""
    await request.say(b"HTTP/1.1 200 OK\r\n" + head)
    for _ in range(60_000):
        await asyncio.sleep(0.1)
        if not await request.say(b" "):
            return


async def drip_headers(request: Request) -> None:
    """Say an octet of the headers now and then."""
    await drip(request, b"x-and-so-on:")


async def nothing(_: Request) -> None:
    """Say nothing."""
    await asyncio.Event().wait()


async def hang_up(request: Request) -> None:
    """Close."""
    request.writer.close()


def squeezed() -> bytes:
    """Write 256 MiB of spaces, as gzip has them."""
    gzip = zlib.compressobj(wbits=31)
    body = b"".join([gzip.compress(bytes(MIB)) for _ in range(256)]) + gzip.flush()
    return http(body, "200 OK", "content-encoding: gzip")


def seated(**changes: object) -> bytes:
    """Write the answer to an open with something else in it."""
    right = Seated(
        version=PROTOCOL_VERSION,
        nameplate="1",
        session="5e" * 16,
        seat="a",
        ttl_us=1,
        reflectors=("*:1",),
    )
    return http(json.dumps(right.model_dump() | changes).encode())


WRONG: dict[str, tuple[Answer, str]] = {
    "no JSON": (http(b"{nonsense"), STRANGE),
    "wrong types": (http(b'{"version":"1","nameplate":7,"session":null}'), STRANGE),
    "10 MB": (http(b" " * 10_000_000), STRANGE),
    "gzip of 256 MiB": (squeezed(), STRANGE),
    "a body without end": (endless_body, STRANGE),
    "headers without end": (endless_headers, "cannot be reached"),
    "HTML": (http(b"<html>Log in", kind="text/html"), STRANGE),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "cannot be reached"),
}
"""Those of which a whole program could make something else than a sentence."""
WRONG_TOO: dict[str, tuple[Answer, str]] = {
    "a list": (http(b"[]"), STRANGE),
    "brackets without end": (http(b"[" * 60_000), STRANGE),
    "not UTF-8": (http(b'{"version":1,"nameplate":"\xff"}'), STRANGE),
    "nothing in it": (http(b""), STRANGE),
    "HTML as an error": (http(b"<html>" * 50_000, "502 Bad Gateway"), "says: HTTP status 502"),
    "redirect to nonsense": (http(b"", "307 X", "location: http://[::\xff"), "cannot be reached"),
    "another version": (seated(version=int("2" + "0" * 4000)), "speaks protocol version 2000"),
    "a problem that is none": (
        http(b'{"type":5}', "409 Conflict", kind="application/problem+json"),
        "says: HTTP status 409",
    ),
    "a session that is none": (seated(session="../.."), STRANGE),
    "a nameplate that is none": (seated(nameplate="1\u001b[2J"), STRANGE),
}
"""Those that are answered here, by what the program is made of."""
NEVER: dict[str, Answer] = {
    "half of it": half,
    "an octet now and then": drip,
    "nothing": nothing,
    "hang up": hang_up,
    "interim answers without end": endless_interim,
}


@pytest.fixture(scope="module", autouse=True)
def _memory() -> Iterator[None]:
    """No peer takes much of it: the kernel knows the most of any process that was waited for."""
    before_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    yield
    largest_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert largest_kib <= max(before_kib, PEER_KIB)


@pytest.mark.parametrize("what", WRONG)
async def test_answer_when_it_is_none_ends_with_3_and_says_so(what: str) -> None:
    answer, words = WRONG[what]
    async with hostile({"open": answer}) as server:
        with Peer("listen", "--json", url=server.url) as one:
            assert await ended(one, b"mine") == (3, b"")
            assert words in failure(one)[1]
            assert len(failure(one)[1]) < 500
        assert all(request.taken < BUFFERED_OCTETS for request in server.requests)


@pytest.mark.parametrize("what", WRONG_TOO)
async def test_answer_when_it_is_none_is_an_error_of_ours(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "FIRST_TRIES_NS", 0)
    answer, words = WRONG_TOO[what]
    async with hostile({"open": answer}) as server:
        sut = Signaling(server.url, SystemClock(), "5e" * 32)
        try:
            with pytest.raises(RendezvousError, match=words):
                await sut.open()
        finally:
            await sut.aclose()


async def test_answer_when_it_never_comes_ends_with_the_time() -> None:
    async def ends(answer: Answer) -> None:
        async with hostile({"open": answer}) as server:
            with Peer("listen", "--json", "--timeout", "1", url=server.url) as one:
                assert await ended(one, b"mine") == (3, b"")
                assert failure(one)[0] == "rendezvous_unreachable"

    # Together, since all that they do is wait.
    async with asyncio.TaskGroup() as group:
        for name, answer in NEVER.items():
            group.create_task(ends(answer), name=name)


@pytest.mark.parametrize("step", ["join", "wait", "time", "report"])
async def test_answer_when_it_is_none_at_any_step_ends_with_3(step: str) -> None:
    answer, words = WRONG["a body without end"]
    async with hostile({step: answer}) as server:
        start = ("connect", CODE) if step == "join" else ("listen",)
        with Peer(*start, "--json", url=server.url) as one:
            assert await ended(one, b"mine") == (3, b"")
            assert words in failure(one)[1]
        assert all(request.taken < BUFFERED_OCTETS for request in server.requests)
        # Whoever has a seat gives it up, whatever the rendezvous is.
        assert server.count("leave") == (step != "join")


@pytest.mark.parametrize("step", ["wait", "report"])
async def test_answer_when_it_never_comes_at_any_step_ends_with_the_time(step: str) -> None:
    async with hostile({step: hang_up, "leave": drip}) as server:
        with Peer("listen", "--json", "--timeout", "1", url=server.url) as one:
            assert await ended(one, b"mine") == (3, b"")
            assert failure(one)[0] == "rendezvous_unreachable"


async def test_redirect_when_it_leads_elsewhere_is_not_followed() -> None:
    async with hostile() as elsewhere:
        redirect = http(b"", "307 Temporary Redirect", f"location: {elsewhere.url}/v1/sessions")
        async with hostile({"open": redirect}) as server:
            with Peer("listen", "--json", url=server.url) as one:
                assert await ended(one) == (3, b"")
                assert "says: HTTP status 307" in failure(one)[1]
        # The seat's secret goes to nobody but the server that the user named.
        assert elsewhere.requests == []


async def test_polls_when_answered_at_once_and_with_nothing_are_spaced() -> None:
    empty = said(WaitResponse(version=PROTOCOL_VERSION, partner=False))
    async with hostile({"wait": empty}) as server:
        with Peer("listen", "--json", "--timeout", "1", url=server.url) as one:
            assert await ended(one) == (5, b"")
            assert failure(one)[0] == "timeout"
        # One each 100 ms, whatever the machine does; without a pause it were a thousand.
        assert 1 <= server.count("wait") <= 11


@pytest.mark.parametrize("answer", [nothing, drip_headers, endless_body])
async def test_farewell_when_its_answer_never_ends_does_not_keep_the_peer(answer: Answer) -> None:
    async with hostile({"wait": nothing, "leave": answer}) as server:
        with Peer("listen", "--json", url=server.url) as one:
            await event(one, "waiting")
            one.process.send_signal(signal.SIGINT)
            assert await ended(one) == (130, b"")
        assert server.count("leave") == 1


async def test_answer_when_it_never_ends_is_given_up_without_any_timeout_of_the_user_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limits are 8 s and more; here, in this process, they are tenths of it."""
    monkeypatch.setattr(peer_http, "CONNECT_TIMEOUT_S", 0.3)
    monkeypatch.setattr(peer_http, "ANSWER_TIMEOUT_S", 0.5)
    monkeypatch.setattr(asking, "FIRST_TRIES_NS", 0)
    async with hostile({"open": drip}) as server:
        sut = Signaling(server.url, SystemClock(), "5e" * 32)
        try:
            with pytest.raises(UnreachableError, match="its answer did not end"):
                async with asyncio.timeout(PATIENCE_S):
                    await sut.open()
        finally:
            await sut.aclose()


async def test_trouble_when_an_answer_has_come_is_over_whatever_it_says() -> None:
    """What the time runs out on later is not what was the matter before."""

    async def stale_after_all(request: Request) -> None:
        if server.count("open") == 1:
            return await hang_up(request)
        problem = b'{"type":"urn:midair:problem:stale_token","title":"stale","status":412}'
        await request.say(http(problem, "412 X", kind="application/problem+json"))

    async with hostile({"open": stale_after_all}) as server:
        sut = Signaling(server.url, SystemClock(), "5e" * 32)
        try:
            with pytest.raises(StaleTokenError):
                await sut.open()
        finally:
            await sut.aclose()
    assert server.count("open") == 2
    assert sut.asking.trouble is None

"""Ctrl-C and kill at every stage: 130, the partner is told, and nothing is left of the peer."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator

import pytest

from rendezvous.protocol.messages import Reason
from tests.loopback.faults.peer.manners import Talk, proven
from tests.loopback.faults.peer.partner import Line, partner, playing
from tests.loopback.faults.peer.process import (
    ended,
    event,
    failure,
    local_ports,
    marked,
    open_sockets,
    still_running,
    volley,
)
from tests.loopback.programs import Peer, pair

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
STOPPED = ("interrupted", "stopped")


@pytest.fixture
def slow_ntp() -> Iterator[str]:
    """An NTP server that never answers: who asks it learns for a second and a half."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{udp.getsockname()[1]}"


async def stops(one: Peer, number: signal.Signals, mark: dict[str, str], data: bytes = b"") -> None:
    """Send the signal; the peer ends as it should, and leaves nothing behind."""
    ports = local_ports(one)
    one.process.send_signal(number)
    assert await ended(one, data) == (130, b"")
    assert failure(one) == STOPPED
    assert open_sockets(ports) == []
    assert still_running(mark) == []


@SIGNALS
async def test_signal_when_the_rendezvous_has_not_answered_ends_at_once(
    number: signal.Signals,
) -> None:
    asked = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    mark = marked()
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        silent = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with Peer("listen", "--json", url=silent, env=mark) as one:
            await asked.wait()
            await stops(one, number, mark)


@SIGNALS
async def test_signal_when_waiting_ends_and_nobody_can_join(
    url: str, number: signal.Signals
) -> None:
    mark = marked()
    with Peer("listen", "--json", url=url, env=mark) as one:
        code = (await event(one, "code"))["code"]
        await event(one, "waiting")
        await stops(one, number, mark)
    with Peer("connect", code, url=url) as other:
        assert (await ended(other))[0] == 3
        assert "nobody waits under" in other.said


@pytest.mark.parametrize(
    ("stage", "number"),
    # Both come by the same way from the first moment on; SIGTERM shows that at some stages.
    [
        *((s, signal.SIGINT) for s in ("paired", "mapping", "appointment", "volley", "greeting")),
        *((s, signal.SIGTERM) for s in ("paired", "volley")),
    ],
)
async def test_signal_when_paired_ends_and_the_partner_hears_it(
    url: str, number: signal.Signals, stage: str, slow_ntp: str
) -> None:
    mark = marked()
    words = ("--ntp", slow_ntp) if stage == "paired" else ()
    lead = {"MIDAIR_TEST_LEAD_MS": "500"} if stage == "appointment" else {}
    greeted = asyncio.Event()

    async def prove_only(line: Line) -> None:
        await proven(line)
        greeted.set()

    async with partner(url, {0: prove_only} if stage == "greeting" else {}) as played:
        with Peer("listen", "--json", *words, url=url, env=mark | lead) as one:
            await played.join((await event(one, "code"))["code"])
            if stage in ("paired", "mapping"):
                # Without the partner's report it stays there.
                await event(one, stage)
                await stops(one, number, mark, b"too early")
                answer = await played.report(1, await played.learn())
                assert answer.left is Reason.INTERRUPTED
                return
            async with playing(played):
                appointment = await event(one, "appointment")
                if stage == "greeting":
                    await greeted.wait()
                elif stage == "volley":
                    await volley(appointment)
                await stops(one, number, mark, b"too early")
                assert (await played.ended).left is Reason.INTERRUPTED


@SIGNALS
async def test_signal_when_connected_breaks_the_stream_in_words(
    url: str, number: signal.Signals
) -> None:
    mark, true = marked(), Talk()
    async with partner(url, {0: true}) as played:
        with Peer("listen", "--json", url=url, env=mark) as one:
            await played.join((await event(one, "code"))["code"])
            async with playing(played):
                await event(one, "connected")
                one.send(b"half of it")
                await stops(one, number, mark)
                await true.over.wait()
    assert true.broken == "the partner aborted: interrupted"
    assert b"half of it".startswith(true.heard)


@SIGNALS
async def test_signal_when_it_comes_again_and_again_changes_nothing(
    url: str, number: signal.Signals
) -> None:
    """Impatience: it meets a peer that is telling its partner, or is all but gone."""
    mark = marked()
    async with partner(url, {}) as played:
        with Peer("listen", "--json", url=url, env=mark) as one:
            await played.join((await event(one, "code"))["code"])
            await event(one, "mapping")
            one.process.send_signal(number)
            one.process.send_signal(number)
            await event(one, "failed")
            await stops(one, number, mark)


async def test_partner_when_told_of_a_signal_ends_with_its_verdict(url: str, slow_ntp: str) -> None:
    with pair(url, connect=("--json", "--ntp", slow_ntp)) as (one, other):
        await event(other, "paired")
        other.process.send_signal(signal.SIGTERM)
        assert await ended(other) == (130, b"")
        assert await ended(one) == (5, b"")
        message = "no path: your partner was stopped by its user"
        assert failure(one) == ("interrupted", message)

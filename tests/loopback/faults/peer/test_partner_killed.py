"""A partner that dies by kill -9: the survivor ends within its time, and says what it knows.

Nobody tells it anything before there is a connection: the rendezvous keeps a seat whose peer is
silent, since it may be a peer that was cut off for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator

import pytest

from tests.loopback.faults.peer.process import ended, event, failure, happened, volley
from tests.loopback.programs import Peer, pair

NOTHING_MORE = (
    "timeout",
    "no path: your partner came, and then nothing more was heard of it",
)
NO_CONNECTION = ("timeout", "no path: no connection within the time given")
LIMIT = ("--timeout", "1.5")
BUSY = b"x" * 65536


@pytest.fixture
def slow_ntp() -> Iterator[str]:
    """An NTP server that never answers: who asks it learns for a second and a half."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{udp.getsockname()[1]}"


async def kill(peer: Peer) -> None:
    """End a process so that it cannot do anything about it."""
    peer.process.kill()
    await asyncio.to_thread(peer.process.wait)


async def reported(peer: Peer) -> None:
    """Wait until a peer with ``-vv`` has sent its report: the first request after it learned."""

    def read() -> None:
        assert peer.process.stderr is not None
        awaited = [b"midair: mapping ", b"send_request_body.complete"]
        for line in peer.process.stderr:
            if awaited[0] in line:
                del awaited[0]
            if not awaited:
                return
        raise AssertionError("it ended without a report")

    await asyncio.to_thread(read)


async def test_listener_when_killed_while_waiting_leaves_a_connector_without_a_word(
    url: str,
) -> None:
    with Peer("listen", "--json", url=url) as dead:
        code = (await event(dead, "code"))["code"]
        await event(dead, "waiting")
        await kill(dead)
    with Peer("connect", code, "--json", *LIMIT, url=url) as one:
        assert await ended(one, b"lost") == (5, b"")
        assert failure(one) == NOTHING_MORE


@pytest.mark.parametrize("stage", ["paired", "mapping"])
async def test_connector_when_killed_while_learning_is_given_up(url: str, stage: str) -> None:
    with pair(url, listen=("--json", *LIMIT)) as (one, dead):
        await event(dead, stage)
        await kill(dead)
        assert await ended(one, b"lost") == (5, b"")
        assert failure(one) in (NOTHING_MORE, NO_CONNECTION)
        assert "connected" not in happened(one.events)


async def test_connector_when_killed_after_its_report_has_none_any_more(
    url: str, slow_ntp: str
) -> None:
    listen = ("--json", "--timeout", "2.5", "--ntp", slow_ntp)
    with pair(url, listen=listen, connect=("-vv",)) as (one, dead):
        # The survivor must be the one who reports later, however busy this machine is.
        await event(one, "paired")
        one.process.send_signal(signal.SIGSTOP)
        await reported(dead)
        await kill(dead)
        one.process.send_signal(signal.SIGCONT)
        assert await ended(one, b"lost") == (5, b"")
        # No appointment with a dead man.
        assert failure(one) == NOTHING_MORE
        assert "appointment" not in happened(one.events)


async def test_partner_when_killed_before_the_instant_is_fired_at_in_vain(url: str) -> None:
    env = {"MIDAIR_TEST_LEAD_MS": "500"}
    with pair(url, listen=("--json", "--timeout", "2.5"), env=env) as (one, dead):
        await event(dead, "appointment")
        await kill(dead)
        assert await ended(one, b"lost") == (5, b"")
        assert failure(one) == NO_CONNECTION
        (fired,) = [e for e in one.events if e["event"] == "volley"]
        assert fired["shots"] > 4


async def test_partner_when_killed_in_its_volley_is_fired_at_in_vain(url: str) -> None:
    """The survivor fires 1 s later than its partner, which is in its volley all that time."""
    skewed = {"MIDAIR_TEST_SKEW_MS": "1000"}
    with Peer("listen", "--json", *LIMIT, url=url, env=skewed) as one:
        code = (await event(one, "code"))["code"]
        with Peer("connect", code, "--json", url=url) as dead:
            await volley(await event(dead, "appointment"))
            await kill(dead)
        assert await ended(one, b"lost") == (5, b"")
        assert failure(one) == NO_CONNECTION


def write_on(peer: Peer) -> None:
    """Write to a peer's input until it has gone."""
    with contextlib.suppress(BrokenPipeError):
        while True:
            peer.send(BUSY)


@pytest.mark.parametrize("survivor", ["listener", "connector"])
@pytest.mark.parametrize("stage", ["idle", "sending"])
async def test_partner_when_killed_after_the_connection_breaks_it(
    url: str, survivor: str, stage: str
) -> None:
    with pair(url) as peers:
        one, dead = peers if survivor == "listener" else reversed(peers)
        await event(one, "connected")
        await event(dead, "connected")
        async with asyncio.TaskGroup() as group:
            if stage == "sending":
                group.create_task(asyncio.to_thread(write_on, one))
                assert dead.process.stdout is not None
                assert await asyncio.to_thread(dead.process.stdout.read, 1) == BUSY[:1]
            await kill(dead)
        assert (await ended(one))[0] == 1
        verdict, message = failure(one)
        assert verdict == "broken"
        # FIN or RST: the latter where the dead one had bytes unread.
        assert message.startswith("the connection broke: the connection ")
        assert happened(one.events)[-2:] == ["closed", "failed"]

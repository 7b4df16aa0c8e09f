"""NTP against real servers (chronyd), and against one that misbehaves on request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from peer.core.clockmap import ClockMap
from peer.core.times import LocalNs, MonoNs
from peer.io import ntp_query
from peer.io.clock import SystemClock, read_clockmap
from peer.io.ntp import NtpReading, measure_ntp
from peer.io.ntp_query import FIRST_WAITS_NS, MAX_LOST, SAMPLES
from tests.loopback.chrony import chronyd, free_udp_port

S = 10**9
LONG_NS = 60 * S
"""A deadline that no test waits for."""
MOST_PACKETS = len(FIRST_WAITS_NS) + SAMPLES - 1 + MAX_LOST
Answer = Callable[[int, bytes], bytes | None]
"""From the number of a request, 0, 1, …, and the request to the answer, or none."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chrony")


@pytest.fixture(scope="module")
def right(folder: Path) -> Iterator[str]:
    with chronyd(folder / "right") as server:
        yield server


@pytest.fixture(scope="module")
def wrong(folder: Path) -> Iterator[str]:
    with chronyd(folder / "wrong", wrong_by="+3.7s") as server:
        yield server


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


async def measure(*servers: str, wrong_by_ns: int = 0, within_ns: int = LONG_NS) -> NtpReading:
    """Measure with a local clock that is wrong; it must not take until the deadline."""
    clock = SystemClock()
    anchor = read_clockmap(clock)
    clockmap = ClockMap(anchor.anchor_mono, LocalNs(anchor.anchor_local + wrong_by_ns))
    deadline = MonoNs(clock.now() + within_ns)
    reading = await measure_ntp(servers, clock, clockmap, deadline=deadline)
    assert within_ns < LONG_NS or clock.now() < deadline
    return reading


def contains(reading: NtpReading, offset_ns: int) -> bool:
    estimate = reading.estimate
    assert estimate is not None, reading
    return abs(estimate.offset_ns - offset_ns) <= estimate.bound_ns


@pytest.mark.parametrize("wrong_by_ns", [0, 3_700_000_000, -41 * S, 3_600 * S])
async def test_measure_when_local_clock_is_wrong_finds_by_how_much(
    right: str, wrong_by_ns: int
) -> None:
    reading = await measure(right, wrong_by_ns=wrong_by_ns)
    assert contains(reading, -wrong_by_ns)
    assert (reading.servers, reading.survivors) == ((right,), (right,))
    assert (reading.falsetickers, reading.failures) == ((), {})


async def test_measure_when_one_of_four_is_false_names_it(
    folder: Path, right: str, wrong: str
) -> None:
    with chronyd(folder / "v6", host="::1") as third, chronyd(folder / "fourth") as fourth:
        reading = await measure(right, wrong, third, fourth)
    assert contains(reading, 0)
    assert reading.servers == (right, wrong, third, fourth)
    assert set(reading.survivors) == {right, third, fourth}
    assert reading.falsetickers == (wrong,)


async def test_measure_when_two_disagree_believes_nobody(right: str, wrong: str) -> None:
    reading = await measure(right, wrong)
    assert reading.estimate is None
    assert (reading.survivors, reading.falsetickers) == ((), (right, wrong))


async def test_measure_when_server_is_not_synchronised_says_so(folder: Path) -> None:
    with chronyd(folder / "lost", synchronised=False) as lost:
        reading = await measure(lost)
    assert reading.failures == {lost: "the server's own clock is not synchronised"}


async def test_measure_when_nobody_listens_says_so_at_once(right: str) -> None:
    closed = f"127.0.0.1:{free_udp_port()}"
    reading = await measure(closed, right)
    assert contains(reading, 0)
    assert reading.failures == {closed: "Connection refused"}


async def test_measure_when_named_by_a_name_asks_its_addresses(right: str) -> None:
    """One of localhost's two addresses has no server; the name has one all the same."""
    name = f"localhost:{right.rpartition(':')[2]}"
    assert contains(await measure(name), 0)


async def test_measure_when_a_name_is_unknown_does_without(right: str) -> None:
    reading = await measure("no-such-host.invalid", "a:b:c:", "[::1", right, right)
    assert contains(reading, 0)
    assert reading.servers == ("no-such-host.invalid", "a:b:c:", "[::1", right)
    assert set(reading.failures) == {"no-such-host.invalid", "a:b:c:", "[::1"}


async def test_measure_when_there_are_no_servers_says_nothing() -> None:
    assert await measure() == NtpReading(None, (), (), (), {})


async def test_measure_when_a_server_is_silent_does_not_wait_for_it(
    right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ntp_query, "FIRST_WAITS_NS", (LONG_NS,))
    async with answering(lambda number, request: None) as (silent, _):
        reading = await measure(silent, right)
    assert contains(reading, 0)
    assert reading.failures == {silent: "no answer"}


async def test_measure_when_all_are_silent_ends_by_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ntp_query, "FIRST_WAITS_NS", (LONG_NS,))
    async with answering(lambda number, request: None) as (silent, requests):
        reading = await measure(silent, within_ns=S // 20)
    assert reading == NtpReading(None, (silent,), (), (), {silent: "no answer"})
    assert len(requests) == 1


async def test_measure_when_answers_are_lost_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(number: int, request: bytes) -> bytes | None:
        return None if number in {0, 2, 3} else answer_to(request)

    monkeypatch.setattr(ntp_query, "FIRST_WAITS_NS", (S // 50,) * len(FIRST_WAITS_NS))
    async with answering(lose) as (server, requests):
        reading = await measure(server)
    assert reading.survivors == (server,)
    assert SAMPLES < len(requests) <= MOST_PACKETS == 8
    assert len(set(requests)) == len(requests)


async def test_measure_when_told_that_it_asks_too_often_stops_and_keeps_what_it_has() -> None:
    def grow_tired(number: int, request: bytes) -> bytes:
        return answer_to(request) if number == 0 else answer_to(request, stratum=0, ref=b"RATE")

    async with answering(grow_tired) as (server, requests):
        reading = await measure(server)
    assert reading.survivors == (server,)
    assert len(requests) <= SAMPLES


async def test_measure_when_denied_stops_after_one_request() -> None:
    async with answering(lambda number, r: answer_to(r, stratum=0, ref=b"DENY")) as (no, requests):
        reading = await measure(no)
    assert reading.failures == {no: "kiss-o'-death DENY"}
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda r: answer_to(r[:40] + bytes(8)), "answer to a request that was not made"),
        (lambda r: answer_to(r)[:47], "not an NTP packet: 47 octets"),
        (lambda r: answer_to(r, held_s=2), "its clock was stepped between question and answer"),
    ],
)
async def test_measure_when_answers_are_not_sound_ignores_them(
    monkeypatch: pytest.MonkeyPatch, forge: Callable[[bytes], bytes], words: str
) -> None:
    monkeypatch.setattr(ntp_query, "FIRST_WAITS_NS", (S // 20,))
    async with answering(lambda number, request: forge(request)) as (forger, _):
        reading = await measure(forger)
    assert reading.failures == {forger: words}


def answer_to(request: bytes, *, stratum: int = 1, ref: bytes = b"TEST", held_s: int = 0) -> bytes:
    """Build a server's answer; its clock stands still in 2023."""
    second = 3_900_000_000
    head = bytes([0x24, stratum, 6, 0xEC]) + bytes(8) + ref + bytes(8)
    stamps = ((second << 32) | 5, ((second + held_s) << 32) | 9)
    return head + request[40:48] + b"".join(stamp.to_bytes(8, "big") for stamp in stamps)


@contextlib.asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a server in this very loop; yields where, and the requests that it got."""
    requests: list[bytes] = []

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # Python 3.11's is no subclass of what it claims to be.
            self.transport = cast(asyncio.DatagramTransport, transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            requests.append(data)
            reply = answer(len(requests) - 1, data)
            if reply is not None:
                self.transport.sendto(reply, addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    try:
        host, port = transport.get_extra_info("sockname")
        yield f"{host}:{port}", requests
    finally:
        transport.close()

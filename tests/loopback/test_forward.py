"""Forwarded connections between real programs' sockets: whole, half, broken, refused, unix."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from peer.apps.forward import Binding, Serving
from peer.apps.pipe import PipeResult, pipe
from peer.core.mux import STREAMS
from peer.core.offer import PIPE, Offer, Side, Use
from peer.core.places import Place, TcpPlace, UnixPlace, parse_pattern
from peer.core.trace import Closed, Forwarded, Forwarding, TraceEvent, Warned
from peer.errors import BrokenError, UsageError
from peer.io import offer
from peer.io.offer import exchange
from tests.loopback.ports import free_ports
from tests.loopback.streams import PATIENCE_S, some_bytes, two_streams

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, and end when it ends."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def forwarding(
    serving: Serving, *at: Place, to: TcpPlace | None = None
) -> AsyncIterator[tuple[list[TraceEvent], list[TraceEvent]]]:
    """Both sides, joined; what each of them tells."""
    gives: list[TraceEvent] = []
    takes: list[TraceEvent] = []
    binding = Binding(at, to)
    binding.claim(takes.append)
    async with two_streams() as (a, b):
        try:
            async with asyncio.TaskGroup() as tasks:
                both = [
                    tasks.create_task(serving(a, gives.append)),
                    tasks.create_task(binding(b, takes.append)),
                ]
                yield gives, takes
                for task in both:
                    task.cancel()
        except* BrokenError:
            pass
        finally:
            binding.release()


@asynccontextmanager
async def echoing() -> AsyncIterator[TcpPlace]:
    """A target that sends back what comes."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        yield TcpPlace("127.0.0.1", server.sockets[0].getsockname()[1])


def near() -> TcpPlace:
    """A place to listen at."""
    return TcpPlace("127.0.0.1", free_ports())


async def ask(ends: Ends, data: bytes) -> bytes:
    """Send all, end, and return all that comes back."""
    reader, writer = ends

    async def send() -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        answer = await reader.read()
    writer.close()
    return answer


async def test_forward_when_many_connect_at_once_and_in_a_row_every_byte_returns() -> None:
    async with echoing() as target:
        place = near()
        async with forwarding(Serving(target), place) as (gives, takes):
            said = [some_bytes(200_000 + number) for number in range(50)]
            links = [await asyncio.open_connection(place.host, place.port) for _ in said]
            got = await asyncio.gather(*(ask(e, d) for e, d in zip(links, said, strict=True)))
            assert got == said
            for number in range(200):
                link = await asyncio.open_connection(place.host, place.port)
                assert await ask(link, b"%d" % number) == b"%d" % number
        assert gives[0] == Forwarding("gives", [str(target)])
        assert takes[0] == Forwarding("takes", [str(place)])
        whole = [event for event in takes if isinstance(event, Forwarded)]
        assert {event.reason for event in whole} == {"done"}
        assert sum(event.sent for event in whole[:50]) == sum(map(len, said))


async def test_forward_when_both_places_are_unix_sockets_removes_ours(tmp_path: Path) -> None:
    target, place = UnixPlace(str(tmp_path / "target")), UnixPlace(str(tmp_path / "near"))
    async with (
        await asyncio.start_unix_server(echo, target.path),
        forwarding(Serving(target), place),
    ):
        assert stat.S_IMODE(os.stat(place.path).st_mode) == 0o600
        assert await ask(await asyncio.open_unix_connection(place.path), b"hello") == b"hello"
        inode = os.stat(place.path).st_ino
    assert inode not in [entry.inode() for entry in os.scandir(tmp_path)]


async def test_forward_when_the_target_refuses_closes_cleanly_and_says_why() -> None:
    place = near()
    async with forwarding(Serving(near()), place) as (gives, takes):
        reader, writer = await asyncio.open_connection(place.host, place.port)
        assert await reader.read() == b""
        writer.close()
    for told in (gives, takes):
        (event,) = [event for event in told if isinstance(event, Forwarded)]
        assert "refused" in event.reason.lower()


@pytest.mark.parametrize(("allow", "works"), [(True, True), (False, False)])
async def test_forward_when_a_place_is_asked_for_only_allowed_ones_work(
    allow: bool, works: bool
) -> None:
    async with echoing() as target:
        place = near()
        patterns = (parse_pattern("127.0.0.0/8:*" if allow else "10.0.0.0/8:*"),)
        async with forwarding(Serving(None, patterns), place, to=target) as (gives, _):
            answer = await ask(await asyncio.open_connection(place.host, place.port), b"hi")
            assert answer == (b"hi" if works else b"")
        refused = [e for e in gives if isinstance(e, Forwarded) and e.reason == "not allowed"]
        assert bool(refused) != works


async def test_forward_when_there_is_no_default_target_refuses() -> None:
    place = near()
    async with forwarding(Serving(None, (parse_pattern("*:*"),)), place) as (gives, _):
        assert await ask(await asyncio.open_connection(place.host, place.port), b"hi") == b""
    assert gives[-1] == Forwarded("default:0", 0, 0, "not allowed")


async def test_forward_when_the_target_breaks_breaks_the_client_and_nothing_else() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.read(100))[:1] == b"k":
            await echo(reader, writer)
            return
        writer.write(b"half a mess")
        await writer.drain()
        await reader.read(1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    target = TcpPlace("127.0.0.1", server.sockets[0].getsockname()[1])
    place = near()
    async with server, forwarding(Serving(target), place):
        kept = await asyncio.open_connection(place.host, place.port)
        kept[1].write(b"k")
        reader, writer = await asyncio.open_connection(place.host, place.port)
        writer.write(b"x")
        assert await reader.read(100) == b"half a mess"
        writer.write(b"y")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert await ask(kept, b"still here") == b"still here"


def test_claim_when_the_place_is_taken_says_so_and_leaves_no_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = near()
        binding = Binding((free, TcpPlace("127.0.0.1", taken.getsockname()[1])))
        with pytest.raises(UsageError, match="in use"):
            binding.claim(lambda _: None)
        binding.release()
        socket.create_server((free.host, free.port)).close()


@pytest.mark.parametrize("host", ["a..b", "a" * 300, "ä..b"])
def test_claim_when_the_host_is_no_name_says_so(host: str) -> None:
    with pytest.raises(UsageError, match="cannot be listened at"):
        Binding((TcpPlace(host, 8080),)).claim(lambda _: None)


def test_claim_when_other_hosts_can_reach_it_warns() -> None:
    told: list[TraceEvent] = []
    binding = Binding((TcpPlace("0.0.0.0", free_ports()),))
    binding.claim(told.append)
    binding.release()
    assert isinstance(told[0], Warned)
    assert "other hosts" in told[0].message


async def test_forward_when_the_partner_runs_something_else_says_what_to_run() -> None:
    async with two_streams() as (a, b):
        told = await asyncio.gather(
            Serving(near())(a, lambda _: None),
            exchange(b, Offer(Use.FILES, Side.TAKES)),
            return_exceptions=True,
        )
        assert all(isinstance(error, UsageError) for error in told)


async def test_forward_when_the_partner_says_nothing_ends_with_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(offer, "OFFER_S", 0.2)
    async with two_streams() as (a, _):
        with pytest.raises(BrokenError, match="did not say"):
            await Serving(near())(a, lambda _: None)


async def piped(serving: Serving, data: bytes) -> tuple[PipeResult, bytes, list[TraceEvent]]:
    """Meet a forward with a plain pipe that says these bytes, and ends; what it got."""
    told: list[TraceEvent] = []
    stdin, writing = os.pipe()
    reading, stdout = os.pipe()
    os.write(writing, data)
    os.close(writing)
    async with two_streams() as (a, b):
        served, result = await asyncio.gather(
            serving(a, told.append), pipe(b, stdin, stdout, offer=PIPE), return_exceptions=True
        )
    for fd in (stdin, stdout):
        os.close(fd)
    got = os.read(reading, 65_536)
    os.close(reading)
    if isinstance(served, BaseException):
        raise served
    assert isinstance(result, PipeResult)
    return result, got, told


async def test_forward_when_the_partner_has_a_pipe_is_one_connection_to_the_target() -> None:
    async with echoing() as target:
        result, got, told = await piped(Serving(target), b"SSH-2.0-midair\r\n")
    assert got == b"SSH-2.0-midair\r\n"
    assert result == PipeResult(16, 16, "done")
    assert told == [Forwarding("gives", [str(target)]), Closed(16, 16, "done")]


async def test_forward_when_a_pipes_target_refuses_both_sides_say_so() -> None:
    target = near()
    async with two_streams() as (a, b):
        null = os.open(os.devnull, os.O_RDWR)
        served, result = await asyncio.gather(
            Serving(target)(a, lambda _: None),
            pipe(b, null, null, offer=PIPE),
            return_exceptions=True,
        )
        os.close(null)
    assert isinstance(served, BrokenError)
    assert str(served).startswith(f"{target}: Connection refused")
    assert isinstance(result, PipeResult)
    assert result.reason == f"the partner aborted: {target}: Connection refused"


async def test_forward_when_a_pipe_comes_and_there_is_no_target_says_what_is_missing() -> None:
    with pytest.raises(UsageError, match="no --forward here"):
        await piped(Serving(None, (parse_pattern("*:*"),)), b"")


async def test_forward_when_a_pipes_target_breaks_is_no_success() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        target = TcpPlace("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(BrokenError, match="reset by peer"):
            await piped(Serving(target), b"x")


@pytest.mark.parametrize("stopped", ["gives", "takes"])
async def test_forward_when_stopped_while_nothing_is_open_ends_the_partner_in_order(
    stopped: str,
) -> None:
    async with echoing() as target, two_streams() as (a, b):
        place, told, both_told = near(), list[TraceEvent](), asyncio.Event()

        def tell(event: TraceEvent) -> None:
            told.append(event)
            if sum(isinstance(event, Forwarded) for event in told) == 2:
                both_told.set()

        binding = Binding((place,))
        binding.claim(tell)
        gives = asyncio.create_task(Serving(target)(a, tell))
        takes = asyncio.create_task(binding(b, tell))
        link = await asyncio.open_connection(place.host, place.port)
        assert await ask(link, b"hello") == b"hello"
        await both_told.wait()
        one, other = (gives, takes) if stopped == "gives" else (takes, gives)
        one.cancel()
        await other
        assert isinstance(told[-1], Closed)
        assert told[-1].reason == "your partner left"
        with pytest.raises(asyncio.CancelledError):
            await one
        binding.release()


@pytest.mark.parametrize("stopped", ["gives", "takes"])
async def test_forward_when_stopped_while_some_are_open_says_how_many_broke(stopped: str) -> None:
    async with echoing() as target, two_streams() as (a, b):
        place = near()
        binding = Binding((place,))
        binding.claim(lambda _: None)
        gives = asyncio.create_task(Serving(target)(a, lambda _: None))
        takes = asyncio.create_task(binding(b, lambda _: None))
        reader, writer = await asyncio.open_connection(place.host, place.port)
        writer.write(b"hi")
        assert await reader.read(2) == b"hi"
        one, other = (gives, takes) if stopped == "gives" else (takes, gives)
        one.cancel()
        with pytest.raises(BrokenError, match="interrupted while 1 connection was open"):
            await other
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        binding.release()


async def test_forward_when_every_stream_is_taken_says_so_and_serves_the_next_one_later() -> None:
    async with echoing() as target:
        place = near()
        async with forwarding(Serving(target), place) as (_, takes):
            links = [
                await asyncio.open_connection(place.host, place.port) for _ in range(STREAMS + 1)
            ]
            for reader, writer in links[:-1]:
                writer.write(b"x")
                assert await reader.read(1) == b"x"
            assert [e for e in takes if isinstance(e, Warned)] == [
                Warned(f"{STREAMS} connections are the most: others wait until one ends")
            ]
            assert await ask(links[0], b"done") == b"done"
            assert await ask(links[-1], b"late") == b"late"
            for _, writer in links[1:-1]:
                writer.close()


async def test_forward_when_the_partner_vanishes_breaks_the_clients() -> None:
    async with echoing() as target, two_streams() as (a, b):
        place = near()
        binding = Binding((place,))
        binding.claim(lambda _: None)
        serving = asyncio.gather(
            Serving(target)(a, lambda _: None), binding(b, lambda _: None), return_exceptions=True
        )
        reader, writer = await asyncio.open_connection(place.host, place.port)
        writer.write(b"hi")
        assert await reader.read(2) == b"hi"
        a._wire.drop()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        ended = await serving
        assert all(isinstance(error, BrokenError) for error in ended)
        binding.release()


async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say more than anybody reads."""
    with suppress(OSError):
        while True:
            writer.write(bytes(65_536))
            await writer.drain()
    writer.close()


async def test_forward_when_the_partner_vanishes_ends_though_a_client_does_not_read() -> None:
    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server, two_streams() as (a, b):
        target = TcpPlace("127.0.0.1", server.sockets[0].getsockname()[1])
        place = near()
        binding = Binding((place,))
        binding.claim(lambda _: None)
        serving = asyncio.create_task(Serving(target)(a, lambda _: None))
        taking = asyncio.create_task(binding(b, lambda _: None))
        client = socket.create_connection((place.host, place.port))
        with client:
            # Until nothing moves any more: the client's kernel and everything before it is full.
            moved = -1
            while moved != b.received:
                moved = b.received
                await asyncio.sleep(0.3)
            a._wire.drop()
            for task in (serving, taking):
                with pytest.raises(BrokenError):
                    await task
        binding.release()


async def test_forward_when_a_pipe_vanishes_ends_though_the_target_does_not_read() -> None:
    over = asyncio.Event()

    async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    async with server, two_streams() as (a, b):
        target = TcpPlace("127.0.0.1", server.sockets[0].getsockname()[1])
        serving = asyncio.create_task(Serving(target)(a, lambda _: None))
        await exchange(b, PIPE)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while True:
                    await b.write(bytes(65_536))
        b._wire.drop()
        with pytest.raises(BrokenError):
            await serving
        over.set()


async def test_forward_when_descriptors_are_short_accepts_later() -> None:
    async with echoing() as target:
        place, limits = near(), resource.getrlimit(resource.RLIMIT_NOFILE)
        async with forwarding(Serving(target), place) as (_, takes):
            assert await ask(await asyncio.open_connection(place.host, place.port), b"hi") == b"hi"
            client = socket.socket()
            client.setblocking(False)
            free = os.dup(client.fileno())
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
            try:
                await asyncio.get_running_loop().sock_connect(client, (place.host, place.port))
                async with asyncio.timeout(PATIENCE_S):
                    while not any(isinstance(e, Warned) for e in takes):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert await ask(await asyncio.open_connection(sock=client), b"late") == b"late"
    (warned,) = [event for event in takes if isinstance(event, Warned)]
    assert "Too many open files" in warned.message

"""Forwarded connections between real programs' sockets: whole, half, broken, refused, unix."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import stat
from pathlib import Path

import pytest

from peer.apps.forward import Binding, Serving
from peer.core.mux import STREAMS
from peer.core.offer import Offer, Side, Use
from peer.core.places import TcpPlace, UnixPlace, parse_pattern
from peer.core.trace import Forwarded, Forwarding, TraceEvent, Warned
from peer.errors import BrokenError, UsageError
from peer.io import offer
from peer.io.offer import exchange
from tests.loopback.forwards import ask, echo, echoing, forwarding, near
from tests.loopback.ports import free_ports
from tests.loopback.streams import PATIENCE_S, some_bytes, two_streams


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

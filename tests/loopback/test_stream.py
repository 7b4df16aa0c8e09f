"""A stream over real TCP on loopback: its ends and its limits."""

from __future__ import annotations

import asyncio
import socket

import pytest

from peer.core.frames import Data, End, EndAck, encode
from peer.core.stream_machine import WINDOW
from peer.errors import StreamBrokenError
from peer.io import wire
from peer.io.stream import Stream
from tests.loopback.streams import (
    PATIENCE_S,
    dispose,
    read_all,
    receive,
    some_bytes,
    stream_and_socket,
    tcp_pair,
    two_streams,
)

MIB = 1024 * 1024


def test_tune_when_tcp_sets_every_option() -> None:
    near, far = tcp_pair()
    with near, far:
        wire.tune(near)
        tcp = socket.IPPROTO_TCP
        assert near.getsockopt(tcp, socket.TCP_NODELAY) == 1
        assert near.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert near.getsockopt(tcp, socket.TCP_KEEPIDLE) == 10
        assert near.getsockopt(tcp, socket.TCP_KEEPINTVL) == 5
        assert near.getsockopt(tcp, socket.TCP_KEEPCNT) == 3
        assert near.getsockopt(tcp, socket.TCP_USER_TIMEOUT) == 25_000


async def test_open_when_not_connected_gives_a_broken_stream() -> None:
    sock = socket.socket()
    sock.setblocking(False)
    stream = await Stream.open(sock)
    with pytest.raises(StreamBrokenError, match="not connected"):
        await stream.read()
    await dispose(stream)
    assert sock.fileno() == -1


async def test_open_when_bytes_were_read_already_takes_them_first() -> None:
    near, far = tcp_pair()
    whole = encode(Data(b"I love")) + encode(Data(b" you.")) + encode(End(11))
    with far:
        far.send(whole[9:])
        stream = await Stream.open(near, initial=whole[:9])
        assert await read_all(stream) == b"I love you."
    await dispose(stream)


async def test_open_when_on_a_socketpair_works_too() -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    a, b = await Stream.open(near), await Stream.open(far)
    await a.write(b"hi")
    assert await b.read() == b"hi"
    # Together: each waits for the other's end.
    await asyncio.gather(a.close(), b.close())


async def test_directions_when_one_ended_long_ago_leave_the_other_alone() -> None:
    async with two_streams() as (a, b):
        await a.write(b"all I have")
        await a.write_eof()
        assert await read_all(b) == b"all I have"
        for number in range(200):
            message = b"%d" % number
            await b.write(message)
            assert await a.read() == message
        assert await b.read() == b""
        with pytest.raises(ValueError, match="written already"):
            await a.write(b"more")
        await b.write_eof()
        assert await a.read() == b""
        await asyncio.gather(a.wait_closed(), b.wait_closed())
        assert (a.sent, b.received, b.sent, a.received) == (10, 10, 490, 490)


async def test_both_directions_when_32_mib_each_and_readers_slow_lose_nothing() -> None:
    there, back = some_bytes(32 * MIB), some_bytes(32 * MIB)

    async def send(stream: Stream, data: bytes) -> None:
        await stream.write(data)
        await stream.write_eof()

    async with two_streams() as (a, b), asyncio.TaskGroup() as group:
        group.create_task(send(a, there))
        group.create_task(send(b, back))
        # Nobody reads: each sender comes to a stop, at the credit and not at the memory's end.
        while a.sent < WINDOW or b.sent < WINDOW:  # noqa: ASYNC110
            await asyncio.sleep(0)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert a.sent == b.sent == WINDOW
        reading = group.create_task(read_all(a))
        got = bytearray()
        while data := await b.read(10_007):
            got += data
            await asyncio.sleep(0)
        assert bytes(got) == there
        assert await reading == back
        await asyncio.gather(a.wait_closed(), b.wait_closed())


async def test_close_when_the_last_bytes_are_just_written_loses_none() -> None:
    data = some_bytes(MIB)
    for _ in range(30):
        near, far = tcp_pair()
        async with asyncio.timeout(PATIENCE_S), await Stream.open(near) as a:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(_serve_once(far))
                await a.write(data)
                await a.close()
            assert reading.result() == data


async def _serve_once(sock: socket.socket) -> bytes:
    async with await Stream.open(sock) as stream:
        return await read_all(stream)


async def test_fin_when_only_one_direction_is_over_is_not_sent() -> None:
    async with stream_and_socket() as (stream, far):
        await stream.write_eof()
        assert await receive(far, 13) == encode(End(0))
        far.send(encode(EndAck()) + encode(Data(b"x")) + encode(End(1)))
        assert await stream.read() == b"x"
        with pytest.raises(BlockingIOError):
            far.recv(1)
        assert await stream.read() == b""
        assert await receive(far, 5) == encode(EndAck())
        assert await asyncio.get_running_loop().sock_recv(far, 1) == b""
        far.shutdown(socket.SHUT_WR)
        await stream.wait_closed()


async def test_wait_closed_when_the_partner_withholds_its_fin_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "LINGER_S", 0.01)
    async with stream_and_socket() as (stream, far):
        await stream.write_eof()
        far.send(encode(EndAck()) + encode(End(0)))
        await stream.wait_closed()


async def test_read_when_cancelled_loses_nothing() -> None:
    async with two_streams() as (a, b), asyncio.TaskGroup() as group:
        reading = group.create_task(b.read())
        await asyncio.sleep(0)
        reading.cancel()
        await a.write(b"hi")
        assert await b.read() == b"hi"
        with pytest.raises(ValueError, match="at least one"):
            await b.read(0)


async def test_offer_to_when_the_consumer_takes_a_part_keeps_the_rest_for_a_read() -> None:
    took: list[bytes] = []

    def consumer(data: bytes | memoryview) -> int:
        took.append(bytes(data[:4]))
        return len(took[-1])

    async with two_streams() as (a, b):
        b.offer_to(consumer)
        await a.write(b"I love you.")
        assert await b.read() == b"ve you."
        assert took == [b"I lo"]
        assert b.received == 11
        await a.write(b"me?")
        await a.write_eof()
        assert await b.read() == b""
        assert took == [b"I lo", b"me?"]


async def test_offer_to_while_bytes_wait_for_a_read_offers_nothing() -> None:
    offered: list[bytes] = []

    def consumer(data: bytes | memoryview) -> int:
        offered.append(bytes(data))
        return 0

    async with stream_and_socket() as (stream, far):
        stream.offer_to(consumer)
        far.send(encode(Data(b"first")) + encode(Data(b"second")))
        assert await stream.read() == b"firstsecond"
        assert offered == [b"first"]

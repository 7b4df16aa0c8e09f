"""The relay carries octets between two peers who trust it with nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct

import pytest

from tests.api.relaying import OTHER_SESSION, Streams, relaying, sit_down
from tests.api.server import until

MEBI = 1024 * 1024


async def end_of(streams: Streams) -> bytes:
    """Read to the end, whether it is an orderly one or not."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := await streams[0].read(65536):
            data += piece
    return data


async def test_two_seats_are_joined_and_each_direction_ends_on_its_own() -> None:
    text = os.urandom(3 * MEBI)
    async with relaying() as (_, connect), connect() as a, connect() as b:
        await sit_down(a, b)
        a[1].write(text)
        a[1].write_eof()
        assert await b[0].read() == text
        b[1].write(text[::-1])
        b[1].write_eof()
        assert await a[0].read() == text[::-1]


async def test_both_directions_at_once_lose_nothing() -> None:
    texts = os.urandom(9 * MEBI), os.urandom(7 * MEBI)

    async def talk(streams: Streams, text: bytes) -> bytes:
        streams[1].write(text)
        streams[1].write_eof()
        return await streams[0].read()

    async with relaying() as (_, connect), connect() as a, connect() as b:
        await sit_down(a, b)
        received = await asyncio.gather(talk(a, texts[0]), talk(b, texts[1]))
    assert tuple(received) == (texts[1], texts[0])


async def test_when_a_pair_is_over_its_seats_and_sockets_are_free() -> None:
    async with relaying(pairs=1) as (relay, connect):
        for session in (OTHER_SESSION, "7" * 32):
            async with connect() as a, connect() as b:
                await sit_down(a, b, session)
                for end in (a, b):
                    end[1].write_eof()
                assert (await end_of(a), await end_of(b)) == (b"", b"")
            await until(lambda: not relay.ends)


async def test_reader_that_takes_nothing_stops_the_writer_and_not_other_pairs() -> None:
    async with (
        relaying() as (_, connect),
        connect() as a,
        connect() as b,
        connect() as c,
        connect() as d,
    ):
        await sit_down(a, b)
        await sit_down(c, d, OTHER_SESSION)
        b[1].transport.pause_reading()  # type: ignore[attr-defined]
        a[1].write(bytes(64 * MEBI))
        # What the relay takes ends up in the two kernels' buffers, and one buffer of its own.
        c[1].write(bytes(64 * MEBI))
        c[1].write_eof()
        assert len(await d[0].read()) == 64 * MEBI
        waiting = a[1].transport.get_write_buffer_size()
        await asyncio.sleep(0.3)
        assert a[1].transport.get_write_buffer_size() == waiting
        assert waiting > 32 * MEBI
        b[1].transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await b[0].readexactly(64 * MEBI)) == 64 * MEBI


async def test_partner_that_dies_takes_the_other_end_with_it() -> None:
    async with relaying() as (relay, connect), connect() as a, connect() as b:
        await sit_down(a, b)
        sock = a[1].get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        a[1].transport.abort()
        with pytest.raises(ConnectionResetError):
            await b[0].read()
        await until(lambda: not relay.ends)


async def test_partner_that_ends_and_dies_breaks_a_stream_that_goes_on() -> None:
    async with relaying() as (relay, connect), connect() as a, connect() as b:
        await sit_down(a, b)
        a[1].write_eof()
        assert await b[0].read() == b""
        a[1].transport.abort()
        with contextlib.suppress(ConnectionError):
            while relay.ends:
                b[1].write(b"still there?")
                await b[1].drain()
                await asyncio.sleep(0.001)
        await until(lambda: not relay.ends)


async def test_pair_above_its_octets_is_ended_on_both_sides_with_no_octet_more() -> None:
    async with relaying(octets=100_000) as (relay, connect), connect() as a, connect() as b:
        await sit_down(a, b)
        b[1].write(bytes(40_000))
        await a[0].readexactly(40_000)
        a[1].write(bytes(60_000))
        await b[0].readexactly(60_000)
        a[1].write(b"!")
        assert (await end_of(a), await end_of(b)) == (b"", b"")
        await until(lambda: not relay.ends)


async def test_pair_above_its_rate_is_slowed_down_and_loses_nothing() -> None:
    rate = 512 * 1024
    loop = asyncio.get_running_loop()
    async with relaying(octets_per_s=rate) as (_, connect), connect() as a, connect() as b:
        await sit_down(a, b)
        began = loop.time()
        a[1].write(bytes(2 * rate))
        await b[0].readexactly(2 * rate)
        # One second's worth may come at once, and the last buffer is paid for afterwards.
        assert loop.time() - began >= 1 - 0.25


async def test_sender_that_is_slowed_down_for_long_does_not_believe_that_the_relay_is_gone() -> (
    None
):
    rate, octets = 32 * 1024, 300 * 1024
    async with relaying(octets_per_s=rate) as (_, connect), connect() as a, connect() as b:
        # What peers set, at a fifth: RFC 5482.
        sock = a[1].get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000)
        await sit_down(a, b)
        a[1].write(bytes(octets))
        a[1].write_eof()
        assert len(await b[0].read()) == octets


async def test_idle_pair_is_ended_and_a_busy_one_is_not() -> None:
    async with relaying(idle_s=0.3) as (_, connect), connect() as a, connect() as b:
        await sit_down(a, b)
        for _ in range(20):
            a[1].write(b".")
            assert await b[0].readexactly(1) == b"."
            await asyncio.sleep(0.03)
        assert (await end_of(a), await end_of(b)) == (b"", b"")

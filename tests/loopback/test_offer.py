"""Two streams' first bytes: offers that go together, and those that do not."""

from __future__ import annotations

import asyncio

import pytest

from peer.core.offer import Offer, Side, Use
from peer.errors import BrokenError, StreamBrokenError, UsageError
from peer.io.offer import exchange
from tests.loopback.streams import two_streams


async def test_exchange_leaves_the_bytes_behind_the_offer() -> None:
    async with two_streams() as (a, b):
        target, pipe = Offer(Use.FORWARD, Side.GIVES), Offer(Use.PIPE)
        heard = await asyncio.gather(exchange(a, target), exchange(b, pipe))
        assert list(heard) == [pipe, target]
        await a.write(b"SSH-2.0")
        assert await b.read() == b"SSH-2.0"


async def test_exchange_of_different_uses_tells_both_sides() -> None:
    async with two_streams() as (a, b):
        told = await asyncio.gather(
            exchange(a, Offer(Use.FILES, Side.GIVES)),
            exchange(b, Offer(Use.PIPE)),
            return_exceptions=True,
        )
        assert isinstance(told[0], UsageError)
        assert isinstance(told[1], UsageError)
        assert "your partner runs a plain pipe" in str(told[0])
        assert "Run `midair receive` here" in str(told[1])
        for stream in (a, b):
            with pytest.raises(StreamBrokenError, match="different things"):
                await stream.wait_closed()


@pytest.mark.parametrize("garbage", [b"\xff\xff", b"\x00\x04tea?", b"\x00"])
async def test_exchange_with_garbage_breaks_without_a_hang(garbage: bytes) -> None:
    async with two_streams() as (a, b):
        await b.write(garbage)
        await b.write_eof()
        with pytest.raises(BrokenError):
            await exchange(a, Offer(Use.PIPE))

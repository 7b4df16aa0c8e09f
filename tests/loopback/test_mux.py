"""Many streams over one on real TCP: beside each other, in a row, ended, broken and abandoned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from peer.core.mux import CONNECTION_WINDOW, DEFAULT, STREAMS, WINDOW
from peer.errors import BrokenError
from peer.io import patience
from peer.io.mux import Mux
from peer.io.mux_stream import MuxStream, PlaceRefusedError, StreamResetError
from peer.io.stream import Stream
from tests.loopback.programs import PATIENCE_S
from tests.loopback.streams import slow_streams, some_bytes, two_streams

Serve = Callable[[MuxStream], Awaitable[None]]


async def echo(stream: MuxStream) -> None:
    """Send back what comes."""
    stream.accept()
    with suppress(StreamResetError):
        while data := await stream.read():
            await stream.write(data)
        await stream.write_eof()


async def sink(stream: MuxStream) -> None:
    """Accept, and read nothing until the stream breaks."""
    stream.accept()
    with suppress(StreamResetError):
        await stream.write(b"!")
        while True:
            stream._readable.clear()
            await stream._readable.wait()
            stream._check()


@asynccontextmanager
async def joined(serve: Serve) -> AsyncIterator[tuple[Mux, Stream, Stream]]:
    """Two sides that run: the one that opens, and the streams below."""

    async def run(mux: Mux, use: Serve | None) -> None:
        with suppress(BrokenError):
            await mux.run(use)

    async with two_streams() as (a, b), asyncio.TaskGroup() as tasks:
        near, far = Mux(a, opens=True), Mux(b, opens=False)
        running = [tasks.create_task(run(near, None)), tasks.create_task(run(far, serve))]
        yield near, a, b
        for task in running:
            task.cancel()


async def ask(mux: Mux, data: bytes) -> bytes:
    """Send bytes over a stream of their own, and return what comes back."""
    stream = await mux.open(DEFAULT)
    async with asyncio.TaskGroup() as tasks:

        async def send() -> None:
            await stream.write(data)
            await stream.write_eof()

        tasks.create_task(send())
        answer = b""
        while piece := await stream.read():
            answer += piece
    return answer


async def test_streams_when_more_than_fit_at_once_all_get_their_bytes() -> None:
    async with joined(echo) as (mux, _, _):
        said = [some_bytes(10_000 + number) for number in range(3 * STREAMS)]
        assert await asyncio.gather(*(ask(mux, data) for data in said)) == said


async def test_streams_when_200_in_a_row_leave_nothing_behind() -> None:
    async with joined(echo) as (mux, _, _):
        for number in range(200):
            assert await ask(mux, b"%d" % number) == b"%d" % number
        assert not mux._streams


async def test_stream_when_bigger_than_every_window_comes_back_whole() -> None:
    data = some_bytes(CONNECTION_WINDOW + 12_345)
    async with joined(echo) as (mux, _, _):
        assert await ask(mux, data) == data


async def test_upload_that_is_cancelled_while_the_wire_is_full_loses_nobody_elses_frames() -> None:
    async with joined(echo) as (mux, near, _):
        # A lost frame would cost its bytes of the window for good.
        for _ in range(2 * CONNECTION_WINDOW // WINDOW):
            upload = await mux.open(DEFAULT)
            near._wire.full = True
            sending = asyncio.create_task(upload.write(bytes(WINDOW)))
            others = [asyncio.create_task(mux.open(DEFAULT)) for _ in range(3)]
            await asyncio.wait([sending, *others], timeout=0.02)
            assert not sending.done()
            sending.cancel()
            await asyncio.wait([sending])
            near._wire.full = False
            near._wake()
            upload.abort()
            async with asyncio.timeout(PATIENCE_S):
                for stream in await asyncio.gather(*others):
                    stream.abort()
        async with asyncio.timeout(PATIENCE_S):
            data = some_bytes(CONNECTION_WINDOW)
            assert await ask(mux, data) == data


async def test_slow_readers_do_not_stop_a_fast_one() -> None:
    async def serve(stream: MuxStream) -> None:
        await (sink if stream.authority == "slow:1" else echo)(stream)

    async with joined(serve) as (mux, _, _):
        slow = [await mux.open("slow:1") for _ in range(20)]
        async with asyncio.TaskGroup() as tasks:

            async def fill(stream: MuxStream) -> None:
                with suppress(StreamResetError):
                    await stream.write(bytes(2 * WINDOW))

            filling = [tasks.create_task(fill(stream)) for stream in slow]
            data = some_bytes(4 * WINDOW)
            assert await ask(mux, data) == data
            assert not any(task.done() for task in filling)
            for stream in slow:
                stream.abort()


async def test_write_when_nobody_reads_stops_at_the_window() -> None:
    async with joined(sink) as (mux, _, _):
        stream = await mux.open(DEFAULT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await stream.write(bytes(10 * WINDOW))
        assert mux.credit(stream) == 0
        assert len(mux._out) == 0
        assert await stream.read() == b"!"


async def test_refused_says_why_and_the_next_one_is_served() -> None:
    async def serve(stream: MuxStream) -> None:
        if stream.authority == "bad:1":
            stream.refuse("not allowed here", forbidden=True)
        else:
            await echo(stream)

    async with joined(serve) as (mux, _, _):
        with pytest.raises(PlaceRefusedError, match="not allowed here"):
            await mux.open("bad:1")
        assert await ask(mux, b"hello") == b"hello"


async def test_reset_reaches_the_far_reader_only_of_that_stream() -> None:
    async with joined(echo) as (mux, _, _):
        kept, broken = await mux.open(DEFAULT), await mux.open(DEFAULT)
        await broken.write(b"half a mess")
        broken.abort()
        with pytest.raises(StreamResetError):
            await broken.read()
        await kept.write(b"whole")
        assert await kept.read() == b"whole"
        kept.abort()


async def test_a_server_that_leaves_early_resets_its_stream() -> None:
    async def serve(stream: MuxStream) -> None:
        stream.accept()
        await stream.read(1)

    async with joined(serve) as (mux, _, _):
        stream = await mux.open(DEFAULT)
        await stream.write(b"ab")
        with pytest.raises(StreamResetError, match="by the partner"):
            await stream.read()


async def test_write_after_its_end_is_refused_and_the_answer_still_comes() -> None:
    async with joined(echo) as (mux, _, _):
        stream = await mux.open(DEFAULT)
        await stream.write_eof()
        await stream.write_eof()
        with pytest.raises(ValueError, match="written already"):
            await stream.write(b"more")
        assert await stream.read() == b""


async def test_streams_when_the_partner_vanishes_break_and_so_does_the_mux() -> None:
    async with joined(sink) as (mux, _, far):
        stream = await mux.open(DEFAULT)
        assert await stream.read() == b"!"
        far._wire.drop()
        with pytest.raises(StreamResetError):
            await stream.read()
        with pytest.raises(StreamResetError):
            await mux.open(DEFAULT)


async def test_run_when_the_partner_sends_garbage_breaks_on_both_sides() -> None:
    async with two_streams() as (a, b):
        await b.write(b"GET / HTTP/1.1\r\n\r\n" * 10)
        with pytest.raises(BrokenError, match="multiplexing"):
            await Mux(a, opens=False).run(echo)
        with pytest.raises(BrokenError, match="protocol error"):
            await _drain(b)


async def test_run_when_the_partner_ends_in_order_returns() -> None:
    async with two_streams() as (a, b):
        await b.write_eof()
        await asyncio.gather(Mux(a, opens=True).run(), _drain(b))


async def test_run_when_the_partner_ends_and_stops_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "LOOK_S", 0.01)
    async with two_streams() as (a, b):
        await b.write_eof()
        await Mux(a, opens=True).run()  # b is not read: nobody says END_ACK


async def test_leave_when_the_link_is_slow_loses_nothing_that_was_over() -> None:
    """What one side calls done is still on the way, for five seconds, when its user stops it."""
    data, served = some_bytes(WINDOW), asyncio.Event()

    async def serve(stream: MuxStream) -> None:
        stream.accept()
        assert await stream.read() == b""
        await stream.write(data)
        await stream.write_eof()
        served.set()

    async with slow_streams(25_000) as (a, b), asyncio.TaskGroup() as tasks:
        far, near = Mux(a, opens=False), Mux(b, opens=True)
        leaving, staying = tasks.create_task(far.run(serve)), tasks.create_task(near.run())
        stream = await near.open(DEFAULT)
        await stream.write_eof()
        await served.wait()
        leaving.cancel()
        answer = b""
        while piece := await stream.read():
            answer += piece
        assert answer == data
        await staying
        await asyncio.wait([leaving])


async def _drain(stream: Stream) -> None:
    while await stream.read():
        pass
    await stream.wait_closed()


async def test_run_when_answers_are_never_read_gives_the_partner_up() -> None:
    async with two_streams() as (a, b), asyncio.TaskGroup() as tasks:

        async def ask_for_ever() -> None:
            ping = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
            await b.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
            with suppress(BrokenError):
                while True:
                    await b.write(ping * 1000)

        tasks.create_task(ask_for_ever())
        with pytest.raises(BrokenError, match="reads no answers"):
            await Mux(a, opens=False).run(echo)

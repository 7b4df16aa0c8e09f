"""Every way to break a stream over real TCP on loopback."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import pytest

from peer.core import frames
from peer.core.frames import Abort, Credit, Data, End, EndAck, encode
from peer.core.stream_machine import WINDOW
from peer.errors import StreamBrokenError
from peer.io.stream import Stream
from tests.loopback.streams import (
    PATIENCE_S,
    dispose,
    read_all,
    receive,
    reset,
    stream_and_socket,
    tcp_pair,
    two_streams,
)


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_read_when_the_connection_ends_early_gives_what_came_then_breaks(how: str) -> None:
    async with stream_and_socket() as (stream, far):
        far.send(encode(Data(b"half a mess")))
        assert await stream.read(6) == b"half a"
        far.close() if how == "fin" else reset(far)
        assert await stream.read() == b" mess"
        with pytest.raises(StreamBrokenError) as caught:
            await stream.read()
        text = {"fin": "the connection ended before", "reset": "the connection was lost: Conn"}
        assert str(caught.value).startswith(text[how])
        assert not caught.value.received_complete
        with pytest.raises(StreamBrokenError):
            await stream.write(b"x")
        with pytest.raises(StreamBrokenError):
            await stream.write_eof()


async def test_read_when_the_end_came_before_the_break_is_complete() -> None:
    async with stream_and_socket() as (stream, far):
        await stream.write(b"unconfirmed")
        far.send(encode(Data(b"whole")) + encode(End(5)))
        await receive(far, 16)
        far.close()
        assert await read_all(stream) == b"whole"
        with pytest.raises(StreamBrokenError) as caught:
            await stream.wait_closed()
        assert caught.value.received_complete
        assert not caught.value.sent_complete


async def test_partner_when_killed_is_reported_as_broken() -> None:
    near, far = tcp_pair()
    with far:
        far.setblocking(True)
        program = (
            "import socket, sys, time; s = socket.socket(fileno=int(sys.argv[1]));"
            f"s.sendall({encode(Data(b'last words'))!r}); time.sleep({PATIENCE_S})"
        )
        argv = [sys.executable, "-c", program, str(far.fileno())]
        child = await asyncio.create_subprocess_exec(*argv, pass_fds=[far.fileno()])
    stream = await Stream.open(near)
    assert await stream.read() == b"last words"
    child.send_signal(signal.SIGKILL)
    with pytest.raises(StreamBrokenError) as caught:
        await stream.read()
    assert not caught.value.received_complete
    assert await child.wait() == -signal.SIGKILL


async def test_writer_when_waiting_for_credit_is_woken_by_the_break() -> None:
    async with stream_and_socket() as (stream, far), asyncio.TaskGroup() as group:
        writing = group.create_task(_outcome(stream))
        await receive(far, WINDOW)
        reset(far)
        assert "lost" in await writing


async def _outcome(stream: Stream) -> str:
    try:
        await stream.write(bytes(2 * WINDOW))
    except StreamBrokenError as broken:
        return broken.reason
    return "written"


async def test_abort_when_the_partner_is_sending_still_tells_it_why() -> None:
    async with two_streams() as (a, b), asyncio.TaskGroup() as group:
        writing = group.create_task(_outcome(a))
        await b.read()
        b.abort("out of\x1b paper")
        assert await writing == "the partner aborted: out of? paper"
        with pytest.raises(StreamBrokenError, match="aborted here: out of"):
            await b.wait_closed()


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "no frame of type 71"),
        (encode(EndAck()), "EndAck out of turn"),
        (encode(End(1)), "END after 0 bytes says 1"),
        (encode(Credit(1)), "CREDIT of 1"),
        (encode(End(0)) + encode(Data(b"x")), "Data out of turn"),
    ],
)
async def test_stream_when_the_partner_breaks_a_rule_breaks_and_says_so(
    sent: bytes, why: str
) -> None:
    async with stream_and_socket() as (stream, far):
        far.send(sent)
        header = await receive(far, 5)
        reply = frames.Decoder().feed(header + await receive(far, header[-1]))
        assert isinstance(abort := reply[0], Abort)
        assert abort.reason.startswith(f"protocol error: {why}")
        with pytest.raises(StreamBrokenError, match="aborted here: protocol error"):
            await stream.write(b"x")


async def test_close_when_bytes_are_unread_tells_the_partner() -> None:
    async with two_streams() as (a, b):
        await a.write(b"never read")
        await a.write_eof()
        await b.write_eof()
        async with asyncio.TaskGroup() as group:
            group.create_task(b.close())
            with pytest.raises(StreamBrokenError, match="the reader left before the end") as caught:
                await a.wait_closed()
        assert not caught.value.sent_complete


async def test_context_when_left_by_an_exception_aborts() -> None:
    near, far = tcp_pair()
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        reading = group.create_task(_serve_broken(far))
        with pytest.raises(KeyError):
            async with await Stream.open(near):
                raise KeyError("secret")
        assert await reading == "the partner aborted: KeyError"


async def _serve_broken(sock: socket.socket) -> str:
    stream = await Stream.open(sock)
    with pytest.raises(StreamBrokenError) as caught:
        await stream.read()
    await dispose(stream)
    return caught.value.reason

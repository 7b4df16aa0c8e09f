"""The pipe: every kind of standard input and output, in this process and as a program."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peer.apps.pipe import PipeResult, pipe
from peer.core.frames import Abort, encode
from peer.io.stream import Stream
from tests.loopback.streams import PATIENCE_S, some_bytes, tcp_pair

ROOT = Path(__file__).parents[2]
PROGRAM = """
import asyncio, socket, sys
from peer.io.stdio import reserve_standard_descriptors
reserve_standard_descriptors()
from peer.apps.pipe import pipe
from peer.io.stream import Stream

async def main():
    sock = socket.socket(fileno=int(sys.argv[1]))
    print((await pipe(await Stream.open(sock))).reason, file=sys.stderr)

asyncio.run(main())
"""
MIB = 1024 * 1024


@pytest.fixture
def null() -> Iterator[int]:
    fd = os.open(os.devnull, os.O_RDWR)
    yield fd
    os.close(fd)


async def joined(a: tuple[int, int], b: tuple[int, int]) -> tuple[PipeResult, PipeResult]:
    """Run two pipes on (stdin, stdout) each, to the end of both."""
    near, far = tcp_pair()
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        one = group.create_task(pipe(await Stream.open(near), *a))
        other = group.create_task(pipe(await Stream.open(far), *b))
    return one.result(), other.result()


async def run(sock: socket.socket, stdin: int, shell: str = '"$@"') -> asyncio.subprocess.Process:
    """Start the pipe as a program, through a shell that may close descriptors; close the socket."""
    with sock:
        sock.setblocking(False)
        return await asyncio.create_subprocess_exec(
            *("sh", "-c", f"exec {shell}", "sh", sys.executable, "-c", PROGRAM),
            str(sock.fileno()),
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[sock.fileno()],
            cwd=ROOT,
        )


def pipe_with(data: bytes) -> int:
    """Make the reading end of a pipe that holds these bytes and no more."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


def file_with(data: bytes) -> int:
    """Make a descriptor of a regular file."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        return os.dup(file.fileno())


def unblocking_with(data: bytes) -> int:
    """Make a pipe that somebody set O_NONBLOCK on, and that is written only later."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def write() -> None:
        os.write(writing, data)
        os.close(writing)

    threading.Timer(0.05, write).start()
    return reading


def terminal_with(data: bytes) -> int:
    """Make a terminal on which these bytes were typed, a line, and then Ctrl-D."""
    keyboard, terminal = pty.openpty()
    os.write(keyboard, data + b"\x04")
    KEYBOARDS.append(keyboard)
    return terminal


KEYBOARDS: list[int] = []


@pytest.fixture(autouse=True)
def _keyboards() -> Iterator[None]:
    yield
    while KEYBOARDS:
        os.close(KEYBOARDS.pop())


@pytest.mark.parametrize("make", [pipe_with, file_with, unblocking_with, terminal_with])
async def test_pipe_when_one_side_says_hi_ends_done(
    make: Callable[[bytes], int], null: int
) -> None:
    stdin = make(b"hi\n")
    reading, writing = os.pipe()
    try:
        results = await joined((stdin, null), (null, writing))
    finally:
        os.close(stdin)
        os.close(writing)
    assert results == (PipeResult(3, 0, "done"), PipeResult(0, 3, "done"))
    assert os.read(reading, 9) == b"hi\n"
    os.close(reading)


async def test_pipe_when_32_mib_each_way_and_readers_slow_loses_nothing() -> None:
    data = some_bytes(32 * MIB), some_bytes(32 * MIB)
    stdins = [file_with(one) for one in data]
    outs = [os.pipe(), os.pipe()]
    got = [bytearray(), bytearray()]

    def drain(index: int) -> None:
        # Slow: a byte count that fits nothing, and one system call for each.
        while piece := os.read(outs[index][0], 4099):
            got[index] += piece

    threads = [threading.Thread(target=drain, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    results = await joined((stdins[0], outs[0][1]), (stdins[1], outs[1][1]))
    for fd in (*stdins, outs[0][1], outs[1][1]):
        os.close(fd)
    for thread in threads:
        await asyncio.to_thread(thread.join)
    os.close(outs[0][0])
    os.close(outs[1][0])
    assert results == (PipeResult(32 * MIB, 32 * MIB, "done"),) * 2
    assert (bytes(got[1]), bytes(got[0])) == data


async def test_pipe_when_stdouts_reader_has_gone_tells_both(null: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    never, held = os.pipe()
    os.write(held, b"x")
    try:
        a, b = await joined((never, null), (null, writing))
    finally:
        for fd in (writing, never, held):
            os.close(fd)
    assert b == PipeResult(0, 0, "aborted here: standard output: Broken pipe")
    assert a.reason == "the partner aborted: standard output: Broken pipe"


async def test_pipe_when_stdin_cannot_be_read_tells_both(null: int) -> None:
    folder = os.open("/", os.O_RDONLY)
    a, b = await joined((folder, null), (null, null))
    os.close(folder)
    assert a == PipeResult(0, 0, "aborted here: standard input: Is a directory")
    assert b == PipeResult(0, 0, "the partner aborted: standard input: Is a directory")


async def test_program_when_hi_and_null_ends_done_on_both_sides() -> None:
    near, far = tcp_pair()
    a = await run(near, asyncio.subprocess.PIPE)
    b = await run(far, asyncio.subprocess.DEVNULL)
    assert await a.communicate(b"hi\n") == (b"", b"done\n")
    assert await b.communicate() == (b"hi\n", b"done\n")


async def test_program_when_descriptors_are_closed_reads_nothing_and_loses_nothing() -> None:
    near, far = tcp_pair()
    a = await run(near, asyncio.subprocess.DEVNULL, '"$@" <&-')
    b = await run(far, asyncio.subprocess.DEVNULL, '"$@" <&- >&-')
    assert await a.communicate() == (b"", b"done\n")
    assert await b.communicate() == (b"", b"done\n")
    near, far = tcp_pair()
    a = await run(near, asyncio.subprocess.PIPE)
    b = await run(far, asyncio.subprocess.DEVNULL, '"$@" <&- >&-')
    lost = b"standard output: Bad file descriptor\n"
    assert await a.communicate(b"hi\n") == (b"", b"the partner aborted: " + lost)
    assert await b.communicate() == (b"", b"aborted here: " + lost)


async def test_program_when_the_partner_aborts_exits_though_stdin_is_open() -> None:
    near, far = tcp_pair()
    a = await run(near, asyncio.subprocess.PIPE)
    assert a.stdin
    assert a.stderr
    with far:
        far.send(encode(Abort("enough")))
        async with asyncio.timeout(PATIENCE_S):
            assert await a.wait() == 0
    assert await a.stderr.read() == b"the partner aborted: enough\n"
    a.stdin.close()


@pytest.mark.parametrize("ended", [False, True])
async def test_program_when_the_partner_is_killed_says_broken(ended: bool) -> None:
    near, far = tcp_pair()
    a = await run(near, asyncio.subprocess.PIPE)
    b = await run(far, asyncio.subprocess.PIPE)
    assert a.stdin
    assert a.stdout
    assert a.stderr
    assert b.stdin
    assert b.stdout
    b.stdin.write(b"last words\n")
    if ended:
        b.stdin.write_eof()
    assert await a.stdout.readline() == b"last words\n"
    a.stdin.write(b"ping\n")
    assert await b.stdout.readline() == b"ping\n"
    b.send_signal(signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_S):
        assert await a.wait() == 0
        # FIN or RST: the kernel sends the latter if the killed program had bytes unread.
        assert (await a.stderr.read()).startswith((b"the connection ended", b"the connection was"))
        assert await b.wait() == -signal.SIGKILL
    a.stdin.close()
    b.stdin.close()


async def test_pipe_when_stdin_is_a_pipe_and_stdout_a_file_loses_nothing(null: int) -> None:
    data = some_bytes(8 * MIB)
    reading, writing = os.pipe()

    def feed() -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(writing, view[:100_003]) :]
        os.close(writing)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with tempfile.TemporaryFile() as out:
        results = await joined((reading, null), (null, out.fileno()))
        await asyncio.to_thread(feeder.join)
        out.seek(0)
        assert out.read() == data
    # The flags belong to everybody who shares the descriptor.
    assert os.get_blocking(reading)
    os.close(reading)
    assert results == (PipeResult(8 * MIB, 0, "done"), PipeResult(0, 8 * MIB, "done"))

"""Standard input and output beside the loop.

Not for single calls: :class:`peer.io.stdio.Blocking`. A pipe is opened a second time, without
blocking, and read and written by the loop itself: the first opening's flags belong to everybody
who shares it. For everything else there is a thread, since epoll refuses files and O_NONBLOCK
means nothing to them. The thread is some blocks ahead or behind: to hand each one over alone
costs two wake-ups of a thread and one of the loop, more than to encrypt it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import stat
import threading
import types
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Protocol

from peer.io.stdio import CHUNK, read_into, widen, write_all

AHEAD = 3
"""Blocks: one at the loop, one that waits for it, one at the thread."""


class Source(Protocol):
    """Where bytes come from."""

    async def read(self) -> memoryview:
        """Return the next bytes, valid until the next call; none at the end.

        Raises:
            OSError: it cannot be read.
        """
        ...


class Sink(Protocol):
    """Where bytes go."""

    written: int
    """Bytes that the descriptor has taken."""

    def offer(self, data: bytes | memoryview) -> int:
        """Write what can be written without waiting; returns how many bytes that was."""
        ...

    async def write(self, data: bytes) -> None:
        """Write, some time; wait while as much as may wait does.

        Raises:
            OSError: something could not be written.
        """
        ...

    async def flush(self) -> None:
        """Wait until everything is written.

        Raises:
            OSError: it could not be.
        """
        ...


@contextmanager
def source(fd: int) -> Iterator[Source]:
    """Read a descriptor.

    Args:
        fd: any readable one; a closed one reads like /dev/null. Left open.
    """
    widen(fd)
    again = _reopened(fd, os.O_RDONLY)
    if again is None:
        with _ThreadSource(fd) as threaded:
            yield threaded
    else:
        try:
            yield _PipeSource(again)
        finally:
            os.close(again)


@contextmanager
def sink(fd: int) -> Iterator[Sink]:
    """Write a descriptor.

    Args:
        fd: any writable one. Left open.
    """
    widen(fd)
    again = _reopened(fd, os.O_WRONLY)
    if again is None:
        with _ThreadSink(fd) as threaded:
            yield threaded
    else:
        try:
            yield _PipeSink(again)
        finally:
            os.close(again)


def _reopened(fd: int, mode: int) -> int | None:
    """Open what a descriptor leads to once more, without blocking, if it is a pipe."""
    # Else a descriptor of somebody else's, who may not open it; and no such folder on a Mac.
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            return os.open(f"/proc/self/fd/{fd}", mode | os.O_NONBLOCK)
    return None


async def _ready(add: Callable[..., None], remove: Callable[[int], bool], fd: int) -> None:
    event = asyncio.Event()
    add(fd, event.set)
    try:
        await event.wait()
    finally:
        remove(fd)


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """Let everything else have its turn: asyncio.sleep(0), where nothing sleeps but by a clock."""
    yield


class _PipeSource:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(CHUNK))

    async def read(self) -> memoryview:
        await _turn()
        while True:
            try:
                return self._buffer[: os.readv(self._fd, [self._buffer])]
            except BlockingIOError:
                await _ready(self._loop.add_reader, self._loop.remove_reader, self._fd)


class _PipeSink:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._waiting = False
        self.written = 0

    def offer(self, data: bytes | memoryview) -> int:
        if self._waiting:
            return 0  # behind what came before
        try:
            taken = os.write(self._fd, data)
        except OSError:
            return 0  # the write of what is left meets it again
        self.written += taken
        return taken

    async def write(self, data: bytes) -> None:
        view, self._waiting = memoryview(data), True
        while view:
            try:
                taken = os.write(self._fd, view)
            except BlockingIOError:
                await _ready(self._loop.add_writer, self._loop.remove_writer, self._fd)
            else:
                self.written += taken
                view = view[taken:]
        self._waiting = False

    async def flush(self) -> None:
        pass


class _Doorbell:
    """Lets a thread wake the loop, and costs a system call only if the loop sleeps."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._asleep = False

    async def wait_until(self, there: Callable[[], object]) -> None:
        """Wait for what the thread does before it rings."""
        while not there():
            self._asleep = True
            # A thread that did it meanwhile saw nobody asleep.
            if not there():
                self._event.clear()
                await self._event.wait()
        self._asleep = False

    def ring(self) -> None:
        """Wake the loop; called by the thread."""
        if self._asleep:
            self._asleep = False
            # RuntimeError: the loop is closed, the program is over.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._event.set)


class _ThreadSource:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._bell = _Doorbell()
        self._free: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._full: deque[tuple[memoryview, int] | OSError] = deque()
        self._lent: memoryview | None = None
        for _ in range(AHEAD):
            self._free.put(memoryview(bytearray(CHUNK)))
        threading.Thread(target=self._run, name="midair-stdin", daemon=True).start()

    async def read(self) -> memoryview:
        if self._lent is not None:
            self._free.put(self._lent)
            self._lent = None
        await self._bell.wait_until(lambda: self._full)
        block = self._full.popleft()
        if isinstance(block, OSError):
            raise block
        self._lent, length = block
        return self._lent[:length]

    def __enter__(self) -> _ThreadSource:
        return self

    def __exit__(self, *_: object) -> None:
        # It ends after its current call, if that ever returns.
        self._free.put(None)

    def _run(self) -> None:
        length = 1
        while length and (buffer := self._free.get()) is not None:
            try:
                length = read_into(self._fd, buffer)
            except OSError as error:
                self._full.append(error)
                length = 0
            else:
                self._full.append((buffer, length))
            self._bell.ring()


class _ThreadSink:
    def __init__(self, fd: int) -> None:
        self.written = 0
        self._fd = fd
        self._bell = _Doorbell()
        self._blocks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._put = self._done = 0
        self._error: OSError | None = None
        threading.Thread(target=self._run, name="midair-stdout", daemon=True).start()

    def offer(self, data: bytes | memoryview) -> int:
        return 0

    async def write(self, data: bytes) -> None:
        await self._behind(AHEAD - 1)
        self._put += 1
        self._blocks.put(data)

    async def flush(self) -> None:
        await self._behind(0)

    async def _behind(self, most: int) -> None:
        await self._bell.wait_until(
            lambda: self._put - self._done <= most or self._error is not None
        )
        if self._error is not None:
            raise self._error

    def __enter__(self) -> _ThreadSink:
        return self

    def __exit__(self, *_: object) -> None:
        # It ends after its current call, if that ever returns.
        self._blocks.put(None)

    def _run(self) -> None:
        while (data := self._blocks.get()) is not None:
            try:
                write_all(self._fd, data)
            except OSError as error:
                self._error = error
                self._bell.ring()
                return
            self.written += len(data)
            self._done += 1
            self._bell.ring()

"""Standard input and output as the ends of a pipe: read and written by daemon threads.

Not for files that the program opens itself. Threads, because nothing else works for a pipe, a
terminal, a regular file and /dev/null alike: epoll refuses the last two, and O_NONBLOCK would be
set for every process that shares the terminal. Daemon threads, because nothing can wake a read of
a terminal, and an exit must not wait for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import queue
import select
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

CHUNK = 1024 * 1024
"""Bytes of one read, and the capacity that a pipe is given: the most that Linux lets a user have
(pipe-max-size of pipe(7)), and what a round through the event loop is worth."""

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")


class Blocking:
    """One daemon thread that makes blocking calls, one at a time.

    Nothing is read ahead: what waits in memory is what the last call returned.
    """

    def __init__(self, name: str) -> None:
        """Start the thread.

        Args:
            name: Of the thread, for a debugger.
        """
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call in the thread. If cancelled it goes on there and its outcome is dropped.

        Raises:
            OSError: What the call raised.
        """
        return await self.start(function, *args, **kwargs)

    def start(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Make a call in the thread, after those that were started before.

        Returns:
            Its outcome: a value, or what it raised.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        # Nobody need ask: a caller that was broken off meanwhile does not.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

        def job() -> None:
            try:
                value = function(*args, **kwargs)
            except Exception as error:  # whatever it is, it is the caller's
                self._tell(future, future.set_exception, error)
            else:
                self._tell(future, future.set_result, value)

        self._jobs.put(job)
        return future

    def __enter__(self) -> Self:
        """Return the thread's handle."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Let the thread end after its current call, if that ever returns."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _tell(self, future: asyncio.Future[T], setter: Callable[[V], None], value: V) -> None:
        def tell() -> None:
            if not future.done():
                setter(value)

        # RuntimeError: the loop is closed, the program is over.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(tell)


def widen(fd: int) -> None:
    """Give a pipe room for CHUNK bytes, where the system lets us; Linux's default is 64 KiB.

    Args:
        fd: either end; anything that is no pipe stays as it is.
    """
    if sys.platform == "linux":
        # EBADF: no pipe; EPERM: the user's pipes hold too much already; EBUSY: more is in it.
        with contextlib.suppress(OSError):
            if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < CHUNK:
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, CHUNK)


def read_some(fd: int) -> bytes:
    """Read what there is, up to CHUNK bytes, waiting for the first.

    Args:
        fd: Any readable descriptor; a closed one reads like /dev/null.

    Returns:
        At least one byte; b"" at the end.

    Raises:
        OSError: It cannot be read.
    """
    while True:
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:
            # Somebody who shares the descriptor has set O_NONBLOCK.
            _wait(fd, select.POLLIN)
        except OSError as error:
            if error.errno == errno.EBADF:
                return b""
            raise


def read_into(fd: int, buffer: memoryview) -> int:
    """Read what there is into a buffer; otherwise as :func:`read_some`.

    Returns:
        How many bytes; 0 at the end.

    Raises:
        OSError: It cannot be read.
    """
    while True:
        try:
            return os.readv(fd, [buffer])
        except BlockingIOError:
            # Somebody who shares the descriptor has set O_NONBLOCK.
            _wait(fd, select.POLLIN)
        except OSError as error:
            if error.errno == errno.EBADF:
                return 0
            raise


def write_all(fd: int, data: bytes) -> None:
    """Write all bytes, waiting as long as that takes.

    Raises:
        OSError: It cannot be written: EPIPE when its reader has gone, EBADF when it is closed.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            _wait(fd, select.POLLOUT)


def _wait(fd: int, event: int) -> None:
    poll = select.poll()
    poll.register(fd, event)
    poll.poll()


def reserve_standard_descriptors() -> None:
    """Give 0, 1 and 2 a meaning if the parent closed them; to be called before anything opens.

    Else the first socket would become descriptor 0 or 1, and the pipe would read or write that.
    Standard input becomes empty; the outputs refuse every write, so that lost bytes are an error.
    """
    for fd, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            # The lowest free number is taken: this one, since those below are open by now.
            os.open(os.devnull, flags)

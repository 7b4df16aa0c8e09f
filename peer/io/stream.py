"""One duplex byte stream with half-close over a connected, proven socket, plain or TLS.

Not for making the connection or for knowing who is at its far end, and not for what comes from
there (:mod:`peer.io.stream_ends`): here is what waits, for the consumer and for the producer.

Memory is bounded on both sides: at most WINDOW bytes wait for a reader, and a writer waits while
more than the wire's high-water mark (64 KiB) has not entered the kernel.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from peer.core import frames
from peer.core.frames import DATA_SEND_MAX
from peer.core.stream_machine import State
from peer.errors import StreamBrokenError
from peer.io.stream_ends import Ends
from peer.io.tls import Tls
from peer.io.wire import tune

READ_SIZE = DATA_SEND_MAX
"""Most bytes of one read by default: a frame."""


class Stream(Ends):
    """A byte stream in each direction, each with its own end. Made by :meth:`open`.

    As a context manager it ends in order: see :meth:`close`. Left by an exception, it aborts.
    """

    def __init__(self) -> None:
        """Use :meth:`open`."""
        super().__init__()
        self._order = asyncio.Lock()

    @classmethod
    async def open(
        cls, sock: socket.socket, tls: Tls | None = None, *, initial: bytes = b""
    ) -> Self:
        """Take over a socket.

        Args:
            sock: Connected and non-blocking; owned, and closed, by the stream from here on.
            tls: What its bytes go through, from :func:`peer.io.channel.secure`; None: nothing.
            initial: Bytes that were read from it beyond the handshake.

        Returns:
            The stream; a connection that broke meanwhile is met by its first read or write.
        """
        stream = cls()
        try:
            tune(sock)
            stream._wire.start(sock, tls)
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):
                text = error.strerror or str(error)
                raise StreamBrokenError(
                    text, sent_complete=False, received_complete=False
                ) from None
            raise
        if initial:
            stream._received(initial)
        return stream

    async def read(self, n: int = READ_SIZE) -> bytes:
        """Return the next bytes as soon as there are any.

        Coming back tells the partner that the bytes before were dealt with: the end of its
        direction is acknowledged when this returns b"".

        Args:
            n: Most bytes to return, at least 1.

        Returns:
            1 to n bytes; b"" at the partner's end mark, which proves that nothing is missing.

        Raises:
            StreamBrokenError: The stream broke before the end mark; all before it was read.
        """
        if n < 1:
            raise ValueError("read at least one byte")
        while not self._buffer:
            if self._machine.receiver is not State.OPEN:
                self._settle()
                return b""
            self._check()
            self._readable.clear()
            await self._readable.wait()
        data = self._buffer.take(n)
        self._send(self._machine.deliver(len(data)))
        return data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the bytes up to the partner's end mark."""
        while data := await self.read():
            yield data

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; wait while the partner's reader or the network cannot take more.

        Args:
            data: Any number of bytes; not changed before this returns.

        Raises:
            StreamBrokenError: The stream broke; how much arrived is unknown.
            ValueError: :meth:`write_eof` was called before.
        """
        view = memoryview(data).cast("B")
        async with self._order:
            while view:
                self._check()
                length = min(len(view), self._machine.credit, DATA_SEND_MAX)
                if not length or self._wire.full:
                    self._writable.clear()
                    await self._writable.wait()
                    continue
                self._machine.send(length)
                self._wire.write(frames.data_header(length), view[:length])
                view = view[length:]

    async def room(self) -> int:
        """Wait until bytes can be written without waiting; return how many.

        For a writer that must not be interrupted between taking bytes and writing them.

        Raises:
            StreamBrokenError: The stream broke.
        """
        while True:
            self._check()
            length = min(self._machine.credit, DATA_SEND_MAX)
            if length and not self._wire.full:
                return length
            self._writable.clear()
            await self._writable.wait()

    async def write_eof(self) -> None:
        """End the outgoing direction; the incoming one goes on. Again: nothing happens.

        Raises:
            StreamBrokenError: The stream broke before.
        """
        async with self._order:
            self._check()
            self._send(self._machine.end())

    async def wait_closed(self) -> None:
        """Wait until both directions are delivered and acknowledged, and the connection closed.

        Counts as the read that meets the end mark, but throws nothing away: while there are
        bytes unread it waits for somebody to read them, and without :meth:`write_eof` for that.

        Raises:
            StreamBrokenError: The stream broke before.
        """
        self._waiting_end = True
        self._settle()
        await self._closed.wait()
        self._check()

    async def wait_broken(self) -> None:
        """Wait until it breaks, for whoever waits for something else meanwhile.

        Raises:
            StreamBrokenError: it broke; returns when it was closed in order.
        """
        await self._closed.wait()
        self._check()

    async def close(self) -> None:
        """End in order: write the end mark, wait for the partner's and for both to be confirmed.

        Bytes that nobody has read, or that still come, make it an :meth:`abort`, so that the
        partner does not believe them delivered.

        Raises:
            StreamBrokenError: The partner or the network broke the stream.
        """
        self._leaving = True
        if self._buffer:
            self.abort("the reader left before the end")
        try:
            await self.write_eof()
            await self.wait_closed()
        except StreamBrokenError:
            await self._closed.wait()
            if not self._aborted_here:
                raise

    async def __aenter__(self) -> Self:
        """Return the stream."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close in order, or abort if an exception passes."""
        try:
            if kind is None:
                await self.close()
            else:
                self.abort(kind.__name__)
                if issubclass(kind, Exception):
                    await self._closed.wait()
        finally:
            self._wire.drop()

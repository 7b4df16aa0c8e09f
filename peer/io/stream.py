"""One duplex byte stream with half-close over a connected, proven socket, plain or TLS.

Not for making the connection or for knowing who is at its far end. The rules of the stream (its
ends, its credit, who closes first) are in :mod:`peer.core.stream_machine`; here they meet the
socket, the consumer and the producer.

Memory is bounded on both sides: at most WINDOW bytes wait for a reader, and a writer waits while
more than the wire's high-water mark (64 KiB) has not entered the kernel.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from peer.core import frames
from peer.core.frames import DATA_SEND_MAX, Abort, Data, Decoder, EndAck, Frame
from peer.core.pieces import Pieces
from peer.core.stream_machine import State, StreamMachine
from peer.errors import StreamBrokenError
from peer.io.tls import Tls
from peer.io.wire import Wire, tune
from rendezvous.protocol.errors import ProtocolError

READ_SIZE = DATA_SEND_MAX
"""Most bytes of one read by default: a frame."""


class Stream:
    """A byte stream in each direction, each with its own end. Made by :meth:`open`.

    As a context manager it ends in order: see :meth:`close`. Left by an exception, it aborts.
    """

    def __init__(self) -> None:
        """Use :meth:`open`."""
        self._wire = Wire(on_bytes=self._received, on_room=self._wake, on_end=self._ended)
        self._machine = StreamMachine()
        self._decoder = Decoder()
        self._buffer = Pieces()
        self._consumer: Callable[[bytes | memoryview], int] | None = None
        self._broken: str | None = None
        self._aborted_here = False
        self._waiting_end = False
        self._leaving = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._closed = asyncio.Event()
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

    @property
    def sent(self) -> int:
        """Bytes written so far."""
        return self._machine.sent

    @property
    def waiting(self) -> int:
        """Bytes that :meth:`read` would return without waiting."""
        return len(self._buffer)

    @property
    def received(self) -> int:
        """Bytes that :meth:`read` has returned so far."""
        return self._machine.delivered

    @property
    def moved(self) -> tuple[int, int]:
        """Another value as soon as anything of either direction has got further."""
        return self._wire.moved

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

    def offer_to(self, consumer: Callable[[bytes | memoryview], int] | None) -> None:
        """Offer bytes as they come, while none wait for a read; what is not taken waits for one.

        Args:
            consumer: takes what it can without waiting and returns how many bytes that was; they
                are valid during the call only. It does not raise. None: nobody.
        """
        self._consumer = consumer

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

    def abort(self, reason: str) -> None:
        """Break the stream, and tell the partner why; a closed or broken one stays as it is.

        The ABORT is on its way when :meth:`wait_closed` raises.

        Args:
            reason: One sentence without a full stop; cut at 200 bytes.
        """
        if self._broken is not None or self._machine.settled:
            return
        self._aborted_here = True
        self._wire.write(frames.encode(frames.abort(reason)))
        self._break(f"aborted here: {reason}")
        # Not a close: the partner may be sending, and a close would answer that with a RST, which
        # can overtake the ABORT. Its FIN ends us, or the timer.
        self._wire.finish()

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

    def _check(self) -> None:
        if self._broken is not None:
            raise StreamBrokenError(
                self._broken,
                sent_complete=self._machine.sender is State.SETTLED,
                received_complete=self._machine.receiver is not State.OPEN,
            )

    def _send(self, frame: Frame | None) -> None:
        if frame is not None and self._broken is None:
            self._wire.write(frames.encode(frame))

    def _settle(self) -> None:
        if self._broken is None and (ack := self._machine.settle()):
            self._send(ack)
            self._finish()

    def _finish(self) -> None:
        if self._machine.settled:
            self._wire.finish()

    def _received(self, chunk: bytes | memoryview) -> None:
        """Take what the wire brings; after the end, discard it."""
        try:
            for frame in self._decoder.feed(chunk) if self._broken is None else ():
                self._take(frame)
                if self._broken is not None:
                    return
        except ProtocolError as error:
            self.abort(f"protocol error: {error}")
        self._wake()

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, Abort):
            self._break(f"the partner aborted: {frame.reason}")
            self._wire.drop()
            return
        self._machine.take(frame)
        if isinstance(frame, Data):
            self._keep(frame.payload)
            if self._leaving:
                self.abort("the reader left before the end")
        elif isinstance(frame, EndAck):
            self._finish()
        if self._waiting_end:
            self._settle()

    def _keep(self, payload: bytes | memoryview) -> None:
        """Keep bytes for a read, but for those that the consumer takes at once."""
        if self._consumer is not None and not self._buffer and not self._leaving:
            taken = self._consumer(payload)
            self._send(self._machine.deliver(taken))
            payload = payload[taken:]
        if payload:
            self._buffer.append(payload)

    def _ended(self, error: Exception | None, closed: bool) -> None:
        if error is None:
            self._break("the connection ended before both end marks were confirmed")
        else:
            self._break(f"the connection was lost: {getattr(error, 'strerror', None) or error}")
        if closed:
            self._closed.set()

    def _break(self, reason: str) -> None:
        if self._broken is None and not self._machine.settled:
            self._broken = reason
            self._wake()

    def _wake(self) -> None:
        self._readable.set()
        self._writable.set()

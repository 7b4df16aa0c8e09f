"""The two ends of a stream that face the wire: what comes is judged, kept and answered at once.

Not for whoever reads and writes: :mod:`peer.io.stream`. Nothing here waits. The rules (the ends,
the credit, who closes first) are in :mod:`peer.core.stream_machine`; here they meet the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from peer.core import frames
from peer.core.frames import Abort, Data, Decoder, EndAck, Frame
from peer.core.pieces import Pieces
from peer.core.stream_machine import State, StreamMachine
from peer.errors import StreamBrokenError
from peer.io.wire import Wire
from rendezvous.protocol.errors import ProtocolError


class Ends:
    """Of both directions, and the events that tell :class:`peer.io.stream.Stream` of them."""

    def __init__(self) -> None:
        """Without a socket yet."""
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

    def offer_to(self, consumer: Callable[[bytes | memoryview], int] | None) -> None:
        """Offer bytes as they come, while none wait for a read; what is not taken waits for one.

        Args:
            consumer: takes what it can without waiting and returns how many bytes that was; they
                are valid during the call only. It does not raise. None: nobody.
        """
        self._consumer = consumer

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

"""One byte stream of many, as awaitable reads and writes.

Not for what carries them: :class:`peer.io.mux.Mux`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from peer.core.mux import FRAME_MAX
from peer.core.mux_events import Accepted, Arrived, Ended, MuxEvent, Refused, WasReset
from peer.core.pieces import Pieces


class Carrier(Protocol):
    """What all streams of a connection share."""

    def credit(self, stream: MuxStream) -> int:
        """Return how many bytes may be sent now."""
        ...

    async def send(self, stream: MuxStream, view: memoryview) -> int:
        """Send a frame when it is this writer's turn; returns how many bytes went, maybe none."""
        ...

    def end(self, stream: MuxStream) -> None:
        """End a stream's outgoing direction."""
        ...

    def reset(self, stream: MuxStream) -> None:
        """Break a stream."""
        ...

    def accept(self, stream: MuxStream) -> None:
        """Answer yes."""
        ...

    def refuse(self, stream: MuxStream, reason: str, *, forbidden: bool) -> None:
        """Answer no."""
        ...

    def consumed(self, stream: MuxStream, length: int) -> None:
        """Let the partner send as much again."""
        ...


class PlaceRefusedError(Exception):
    """The partner does not connect this stream; the text says why."""


class StreamResetError(Exception):
    """One stream of many broke; what was on the way in either direction may be missing."""


class MuxStream:
    """One byte stream of many, in two directions; made by :class:`peer.io.mux.Mux`."""

    def __init__(self, mux: Carrier, number: int, authority: str) -> None:
        """Only for :class:`peer.io.mux.Mux`."""
        self.authority = authority
        """The place that was asked for."""
        self.number = number
        self._mux = mux
        self._buffer = Pieces()
        self._in_over = False
        self._out_over = False
        self._broken: str | None = None
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._gone = asyncio.Event()
        self._answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    async def read(self, n: int = FRAME_MAX) -> bytes:
        """Return the next bytes as soon as there are any; b"" at the end of the direction.

        Raises:
            StreamResetError: there may have been more.
        """
        while not self._buffer:
            self._check()
            if self._in_over:
                return b""
            self._readable.clear()
            await self._readable.wait()
        self._check()
        data = self._buffer.take(n)
        self._mux.consumed(self, len(data))
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes; wait while the partner's consumer or the network takes no more.

        Raises:
            StreamResetError: they will not arrive.
            ValueError: :meth:`write_eof` was called before.
        """
        if self._out_over:
            raise ValueError("the end of this direction was written already")
        view = memoryview(data)
        while view:
            while not self._mux.credit(self):
                self._check()
                self._writable.clear()
                await self._writable.wait()
            view = view[await self._mux.send(self, view) :]
        self._check()

    async def write_eof(self) -> None:
        """End the outgoing direction; the other one goes on. Again: nothing happens."""
        if not self._out_over and self._broken is None:
            self._out_over = True
            self._mux.end(self)

    def abort(self, reason: str = "broken here") -> None:
        """Break both directions, unless both are over."""
        if self._broken is None and not (self._in_over and self._out_over):
            self._broken = reason
            self._mux.reset(self)
            self._drop()

    def accept(self) -> None:
        """Answer a stream that was asked for: it is connected."""
        self._mux.accept(self)

    def refuse(self, reason: str, *, forbidden: bool) -> None:
        """Answer a stream that was asked for: it is not.

        Args:
            reason: a sentence that the partner is told.
            forbidden: it may not be; else it cannot be.
        """
        self._broken = reason
        self._mux.refuse(self, reason, forbidden=forbidden)
        self._drop()

    def take(self, event: MuxEvent) -> None:
        """Take what the machine says of this stream."""
        match event:
            case Accepted():
                self._answered(None)
            case Refused(reason=reason):
                self._broken = reason
                self._answered(reason)
            case Arrived(data=data):
                self._buffer.append(data)
            case Ended():
                self._in_over = True
            case WasReset():
                self.broke("broken by the partner")
        self.wake()

    def broke(self, reason: str) -> None:
        """Take note that nothing more comes or goes."""
        if self._broken is None:
            self._broken = reason
            self._drop()
        if not self._answer.done():
            self._answer.set_exception(StreamResetError(reason))
            self._answer.exception()  # nobody need have asked

    def wake(self) -> None:
        """Let readers and writers look again."""
        self._readable.set()
        self._writable.set()

    @property
    def over(self) -> bool:
        """Nothing more will be said of it."""
        return self._broken is not None or (self._in_over and self._out_over)

    async def wait_broken(self) -> None:
        """Wait until it breaks, for whoever waits for something else meanwhile.

        Raises:
            StreamResetError: it broke; returns only then.
        """
        await self._gone.wait()
        self._check()

    async def answer(self) -> str | None:
        """Wait for the partner's answer: None, or why not."""
        return await self._answer

    def _answered(self, reason: str | None) -> None:
        if not self._answer.done():
            self._answer.set_result(reason)

    def _drop(self) -> None:
        self._gone.set()
        self._mux.consumed(self, self._buffer.clear())
        self.wake()

    def _check(self) -> None:
        if self._broken is not None:
            raise StreamResetError(self._broken)

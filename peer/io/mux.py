"""Many streams over one :class:`~peer.io.stream.Stream`, as awaitable reads and writes.

Not for the protocol: :mod:`peer.core.mux`. Memory is bounded on both sides: what waits for the
consumers by the machine's windows, what waits to be sent by OUT_MAX. Writers take turns, a frame
each, so that one that has much to say does not silence the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from peer.core.mux import (
    FRAME_MAX,
    Accepted,
    Arrived,
    Asked,
    Ended,
    MoreRoom,
    MuxEvent,
    MuxMachine,
    Refused,
    WasReset,
)
from peer.core.pieces import Pieces
from peer.errors import BrokenError, StreamBrokenError
from peer.io.stream import Stream
from rendezvous.protocol.errors import ProtocolError

READ_SIZE = 2 * FRAME_MAX
"""Bytes taken from the stream, or given to it, at a time."""
OUT_MAX = 2 * FRAME_MAX
"""Bytes of frames that wait for the stream below."""
REPLIES_MAX = 1024 * 1024
"""Bytes of answers that a partner may cause and not read, before it is given up."""
LEAVE_S = 3.0
"""Most that the partner's farewell may take: the stream's own limit (peer/io/wire.py)."""


class PlaceRefusedError(Exception):
    """The partner does not connect this stream; the text says why."""


class StreamResetError(Exception):
    """One stream of many broke; what was on the way in either direction may be missing."""


class MuxStream:
    """One byte stream of many, in two directions; made by :class:`Mux`."""

    def __init__(self, mux: Mux, number: int, authority: str) -> None:
        """Only for :class:`Mux`."""
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


class Mux:
    """One side of the connection; :meth:`run` must run while streams are used."""

    def __init__(self, stream: Stream, *, opens: bool) -> None:
        """Take over a stream.

        Args:
            stream: fresh, or behind the offers.
            opens: this side calls :meth:`open`; else the other one.
        """
        self._stream = stream
        self._machine = MuxMachine(opens=opens)
        self._streams: dict[int, MuxStream] = {}
        self._out = Pieces()
        self._due = asyncio.Event()
        self._room = asyncio.Event()
        self._turn = asyncio.Lock()
        self._opening = asyncio.Lock()
        self._openable = asyncio.Event()
        self._over: str | None = None
        self._flush()

    async def run(self, serve: Callable[[MuxStream], Awaitable[None]] | None = None) -> None:
        """Carry everything until the partner ends the connection in order.

        Args:
            serve: called with each stream that the partner asks for; answers and uses it.

        Raises:
            BrokenError: it broke; the streams are told before.
        """
        failure: BrokenError | None = None
        cut = 0
        try:
            async with asyncio.TaskGroup() as tasks:
                children = {tasks.create_task(self._write_out())}

                def start(stream: MuxStream) -> None:
                    if serve is not None:
                        task = tasks.create_task(_serving(serve, stream))
                        children.add(task)
                        task.add_done_callback(children.discard)

                try:
                    await self._read_in(start)
                    self._all_broke("the partner ended the connection")
                except BrokenError as error:
                    failure = error  # the group would wrap it
                    self._all_broke(error.what)
                finally:
                    cut = len(self._streams)
                for child in list(children):
                    child.cancel()
        except asyncio.CancelledError:
            await self._leave(cut)
            raise
        except BaseException:
            self._stream.abort("interrupted")
            self._all_broke("interrupted")
            raise
        if failure is not None:
            raise failure
        await self._stream.close()

    async def _leave(self, cut: int) -> None:
        """End because the user says so: in order if that harms nobody, else with a word."""
        self._all_broke("interrupted")
        if cut:
            were = "connection was" if cut == 1 else "connections were"
            self._stream.abort(f"interrupted while {cut} {were} open")
            return
        # What still comes is nobody's: the partner's own frames about the connection.
        with suppress(StreamBrokenError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._stream.write_eof()
                while await self._stream.read():
                    pass
                await self._stream.wait_closed()

    async def open(self, authority: str) -> MuxStream:
        """Open a stream, once the partner takes one more.

        Args:
            authority: the place.

        Returns:
            The stream, connected.

        Raises:
            PlaceRefusedError: the partner says no.
            StreamResetError: the connection broke.
        """
        async with self._opening:
            while self._over is None and not self._machine.may_open:
                self._openable.clear()
                await self._openable.wait()
            if self._over is not None:
                raise StreamResetError(self._over)
            stream = MuxStream(self, self._machine.open(authority), authority)
            self._streams[stream.number] = stream
            self._flush()
        try:
            reason = await stream.answer()
        except BaseException:
            stream.abort()
            raise
        if reason is not None:
            raise PlaceRefusedError(reason)
        return stream

    def credit(self, stream: MuxStream) -> int:
        """Return how many bytes may be sent now."""
        return 0 if stream.over else self._machine.credit(stream.number)

    async def send(self, stream: MuxStream, view: memoryview) -> int:
        """Send a frame when it is this writer's turn; returns how many bytes went, maybe none."""
        async with self._turn:
            while len(self._out) >= OUT_MAX and self._over is None:
                self._room.clear()
                await self._room.wait()
            length = min(len(view), self.credit(stream))
            if length:
                self._machine.send(stream.number, view[:length])
                self._flush()
            return length

    def end(self, stream: MuxStream) -> None:
        """End a stream's outgoing direction."""
        if self._over is None:
            self._machine.end(stream.number)
            self._settle(stream)

    def reset(self, stream: MuxStream) -> None:
        """Break a stream."""
        if self._over is None:
            self._machine.reset(stream.number)
            self._settle(stream)

    def accept(self, stream: MuxStream) -> None:
        """Answer yes."""
        if self._over is None:
            self._machine.accept(stream.number)
            self._flush()

    def refuse(self, stream: MuxStream, reason: str, *, forbidden: bool) -> None:
        """Answer no."""
        if self._over is None:
            self._machine.refuse(stream.number, reason, forbidden=forbidden)
            self._settle(stream)

    def consumed(self, stream: MuxStream, length: int) -> None:
        """Let the partner send as much again."""
        if self._over is None:
            self._machine.consumed(stream.number, length)
            self._flush()

    async def _read_in(self, serve: Callable[[MuxStream], None]) -> None:
        while data := await self._stream.read(READ_SIZE):
            try:
                for event in self._machine.receive(data):
                    self._take(event, serve)
                self._flush()
                if len(self._out) > OUT_MAX + REPLIES_MAX:
                    raise ProtocolError("multiplexing: the partner asks and reads no answers")
            except ProtocolError as error:
                self._stream.abort(f"protocol error: {error}")
                raise BrokenError(str(error), "Install equal versions on both sides") from None

    def _take(self, event: MuxEvent, serve: Callable[[MuxStream], None]) -> None:
        if isinstance(event, MoreRoom):
            self._openable.set()
            for stream in self._streams.values():
                stream.wake()
        elif isinstance(event, Asked):
            self._streams[event.stream] = stream = MuxStream(self, event.stream, event.authority)
            serve(stream)
        elif event.stream in self._streams:
            stream = self._streams[event.stream]
            stream.take(event)
            self._settle(stream)

    def _settle(self, stream: MuxStream) -> None:
        if stream.over:
            self._streams.pop(stream.number, None)
            self._openable.set()
        self._flush()

    def _flush(self) -> None:
        if data := self._machine.take_outgoing():
            self._out.append(data)
            self._due.set()

    async def _write_out(self) -> None:
        try:
            while True:
                await self._due.wait()
                self._due.clear()
                while data := self._out.take(READ_SIZE):
                    self._room.set()
                    await self._stream.write(data)
        except StreamBrokenError:
            return  # The reader meets it too, behind what came before.

    def _all_broke(self, reason: str) -> None:
        self._over = reason
        for stream in list(self._streams.values()):
            stream.broke(reason)
        self._streams.clear()
        self._openable.set()
        self._room.set()


async def _serving(serve: Callable[[MuxStream], Awaitable[None]], stream: MuxStream) -> None:
    try:
        await serve(stream)
    finally:
        stream.abort("left by its user")

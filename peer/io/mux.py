"""Many streams over one :class:`~peer.io.stream.Stream`, as awaitable reads and writes.

Not for the protocol: :mod:`peer.core.mux`. Memory is bounded on both sides: what waits for the
consumers by the machine's windows, what waits to be sent by OUT_MAX. Writers take turns, a frame
each, so that one that has much to say does not silence the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from peer.core.mux import FRAME_MAX, STREAMS, MuxMachine
from peer.core.mux_events import Asked, MoreRoom, MuxEvent
from peer.core.pieces import Pieces
from peer.errors import BrokenError, StreamBrokenError
from peer.io.mux_stream import MuxStream, PlaceRefusedError, StreamResetError
from peer.io.patience import Patience
from peer.io.stream import Stream
from rendezvous.protocol.errors import ProtocolError

READ_SIZE = 2 * FRAME_MAX
"""Bytes taken from the stream, or given to it, at a time."""
OUT_MAX = 2 * FRAME_MAX
"""Bytes of frames that wait for the stream below."""
REPLIES_MAX = 1024 * 1024
"""Bytes of answers that a partner may cause and not read, before it is given up."""
CHILDREN_MAX = 4 * STREAMS
"""Streams that are being served at a time, also those that the partner has broken meanwhile."""
LEAVE_LOOKS = 5
"""Most without any movement of who leaves at its user's word: see :mod:`peer.io.patience`. A relay
that takes 25 kB/s from us takes a segment of loopback's, 64 KiB, every 3 s."""


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
        self._writing = asyncio.Lock()
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
                    if len(children) > CHILDREN_MAX:
                        # Reset at once, they are gone for the machine, and their work is not.
                        stream.refuse("too many connections are being made", forbidden=False)
                    elif serve is not None:
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
        # It has said that nothing is open, and knows that nothing comes: who does not go on from
        # here, or breaks, harms nothing.
        with Patience(self._stream), suppress(StreamBrokenError):
            await self._stream.close()

    async def _leave(self, cut: int) -> None:
        """End because the user says so: in order if that harms nobody, else with a word."""
        self._all_broke("interrupted")
        if cut:
            were = "connection was" if cut == 1 else "connections were"
            self._stream.abort(f"interrupted while {cut} {were} open")
            return
        # What still comes is nobody's: the partner's own frames about the connection.
        with Patience(self._stream, looks=LEAVE_LOOKS), suppress(StreamBrokenError):
            await self._drain()
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
                await self._drain()
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
        while True:
            await self._due.wait()
            await self._drain()

    async def _drain(self) -> None:
        """Give the stream below all that waits; whoever is there first does it: no wake-up.

        It may be cancelled with the stream whose turn it is, and these are everybody's frames: none
        is taken before it can go.
        """
        async with self._writing:
            self._due.clear()
            try:
                while self._out:
                    room = await self._stream.room()
                    await self._stream.write(self._out.take(min(READ_SIZE, room)))
                    self._room.set()
            except StreamBrokenError:
                # The reader meets it too, behind what came before.
                self._out.clear()
                self._room.set()
            finally:
                if self._out:
                    self._due.set()

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

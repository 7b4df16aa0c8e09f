"""Forward connections: one side has the target, the other one listens; both over one stream.

Not for the streams: :mod:`peer.io.mux`. An end of one direction is handed on as such, and what
broke on one side is broken on the other one: a program never takes a part for the whole.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from peer.core.mux import DEFAULT, STREAMS
from peer.core.offer import Offer, Side, Use
from peer.core.places import LOOPBACK, Pattern, Place, PlaceError, TcpPlace, is_local, parse_place
from peer.core.trace import Forwarded, Forwarding, TraceEvent, Warned
from peer.errors import MidairError
from peer.io import places
from peer.io.mux import Mux, MuxStream, PlaceRefusedError, StreamResetError
from peer.io.offer import exchange
from peer.io.stream import Stream

CONNECT_S = 10.0
"""Most that connecting to the target may take; a browser gives up no sooner."""
READ_SIZE = 64 * 1024
UNPRIVILEGED = 1024
"""Below it Linux lets only root listen (ip_unprivileged_port_start)."""
DONE = "done"
"""The reason of a connection whose two directions ended in order."""
Emit = Callable[[TraceEvent], None]


@dataclass(frozen=True, slots=True)
class Serving:
    """The side that has the target."""

    target: Place | None
    """Where connections lead that ask for nothing else."""
    allow: tuple[Pattern, ...] = ()
    """Other places that the partner may ask for."""

    def partners_words(self) -> tuple[str, ...]:
        """Return options for the partner's command: a port of its own that looks like ours."""
        port = self.target.port if isinstance(self.target, TcpPlace) else UNPRIVILEGED
        port = port if port >= UNPRIVILEGED else port + 10_000
        words = ("--bind", f"{LOOPBACK}:{port}")
        return words if self.target is not None else (*words, "--to", "HOST:PORT")

    async def __call__(self, stream: Stream, emit: Emit) -> None:
        """Serve the partner's connections until it ends; see :data:`peer.apps.connected.Use`."""
        await exchange(stream, Offer(Use.FORWARD, Side.GIVES))
        emit(Forwarding("gives", [] if self.target is None else [str(self.target)]))
        await Mux(stream, opens=False).run(lambda far: self._serve(far, emit))

    async def _serve(self, far: MuxStream, emit: Emit) -> None:
        place = self._place(far.authority)
        if place is None:
            shown = "a target" if far.authority == DEFAULT else far.authority
            far.refuse(f"{shown} is not allowed here", forbidden=True)
            emit(Forwarded(far.authority, 0, 0, "not allowed"))
            return
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await places.connect(place)
        except (OSError, TimeoutError) as error:
            # Ours has no errno; the kernel's own, ETIMEDOUT, is the same class.
            late = isinstance(error, TimeoutError) and error.errno is None
            why = f"no answer within {CONNECT_S:g} s" if late else places.why(error)
            far.refuse(f"{place}: {why}", forbidden=False)
            emit(Forwarded(str(place), 0, 0, why))
            return
        far.accept()
        emit(await _join(str(place), reader, writer, far))

    def _place(self, authority: str) -> Place | None:
        if authority == DEFAULT:
            return self.target
        try:
            place = parse_place(authority)
        except PlaceError:
            return None
        if not isinstance(place, TcpPlace):
            return None
        return place if place == self.target or any(p.allows(place) for p in self.allow) else None


@dataclass(slots=True)
class Binding:
    """The side that listens."""

    at: tuple[Place, ...]
    to: TcpPlace | None = None
    """What the partner is asked for; None: its own target."""
    _sockets: list[tuple[Place, socket.socket]] = field(default_factory=list)

    def claim(self, emit: Emit) -> None:
        """Listen: before the session, so that a place that is taken costs no code.

        Raises:
            UsageError: one is taken.
        """
        for place in self.at:
            self._sockets.append((place, places.listen(place)))
            if not is_local(place):
                emit(Warned(f"other hosts can reach {place}, and your partner's target by it"))

    def release(self) -> None:
        """Listen no more."""
        for place, sock in self._sockets:
            places.leave(place, sock)
        self._sockets.clear()

    async def __call__(self, stream: Stream, emit: Emit) -> None:
        """Hand connections to the partner until it ends; see :data:`peer.apps.connected.Use`."""
        await exchange(stream, Offer(Use.FORWARD, Side.TAKES))
        mux = Mux(stream, opens=True)
        emit(Forwarding("takes", [str(place) for place in self.at]))
        failure: MidairError | None = None
        slots = asyncio.Semaphore(STREAMS)
        async with asyncio.TaskGroup() as tasks:
            accepting = [
                tasks.create_task(self._accept(place, sock, tasks, mux, slots, emit))
                for place, sock in self._sockets
            ]
            try:
                await mux.run()
            except MidairError as error:
                failure = error  # the group would wrap it
            for task in accepting:
                task.cancel()
        if failure is not None:
            raise failure

    async def _accept(
        self,
        place: Place,
        sock: socket.socket,
        tasks: asyncio.TaskGroup,
        mux: Mux,
        slots: asyncio.Semaphore,
        emit: Emit,
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # More than the partner takes wait in the kernel, and not in our memory.
            await slots.acquire()
            try:
                near, _ = await loop.sock_accept(sock)
            except ConnectionAbortedError:
                slots.release()
                continue
            except OSError as error:
                emit(Warned(f"{place} accepts no more connections: {error.strerror}"))
                return
            task = tasks.create_task(self._hand_over(near, mux, emit))
            task.add_done_callback(lambda _: slots.release())

    async def _hand_over(self, near: socket.socket, mux: Mux, emit: Emit) -> None:
        name = "the target" if self.to is None else str(self.to)
        try:
            reader, writer = await asyncio.open_connection(sock=near)
        except OSError:
            near.close()
            return
        try:
            far = await mux.open(DEFAULT if self.to is None else str(self.to))
        except PlaceRefusedError as refused:
            emit(Forwarded(name, 0, 0, f"your partner refused: {refused}"))
            await places.close(writer, whole=True)
        except StreamResetError as broken:
            emit(Forwarded(name, 0, 0, str(broken)))
            await places.close(writer, whole=False)
        else:
            emit(await _join(name, reader, writer, far))


async def _join(
    name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: MuxStream
) -> Forwarded:
    """Carry both directions, each to its own end; returns how that went."""
    sent = received = 0
    whole = False
    reason = "interrupted"

    async def send() -> None:
        nonlocal sent
        while data := await reader.read(READ_SIZE):
            await far.write(data)
            sent += len(data)
        await far.write_eof()

    async def receive() -> None:
        nonlocal received
        while data := await far.read(READ_SIZE):
            writer.write(data)
            await writer.drain()
            received += len(data)
        writer.write_eof()

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            tasks.create_task(receive())
        whole, reason = True, DONE
    except* (OSError, StreamResetError) as group:
        error = group.exceptions[0]
        reason = places.why(error) if isinstance(error, OSError) else str(error)
    finally:
        far.reset(reason)
        await places.close(writer, whole=whole)
    return Forwarded(name, sent, received, reason)

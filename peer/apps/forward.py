"""Forward connections: one side has the target, the other one listens; both over one stream.

Not for the streams: :mod:`peer.io.mux`. An end of one direction is handed on as such, and what
broke on one side is broken on the other one: a program never takes a part for the whole.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

from peer.apps.join import DONE, Emit, join
from peer.core.mux import DEFAULT, STREAMS
from peer.core.offer import PIPE, Offer, Side, Use
from peer.core.places import LOOPBACK, Pattern, Place, PlaceError, TcpPlace, is_local, parse_place
from peer.core.times import MonoNs
from peer.core.trace import Closed, Forwarded, Forwarding, Warned
from peer.errors import BrokenError, MidairError, StreamBrokenError, UsageError
from peer.io import places
from peer.io.clock import SystemClock
from peer.io.mux import Mux
from peer.io.mux_stream import MuxStream, PlaceRefusedError, StreamResetError
from peer.io.offer import exchange, leave
from peer.io.stream import Stream
from rendezvous.protocol.times import NS_PER_S

CONNECT_S = 10.0
"""Most that connecting to the target may take; a browser gives up no sooner."""
ACCEPT_AGAIN_NS = NS_PER_S // 2
"""After a failure to accept: soon enough for people, seldom enough for the processor."""
UNPRIVILEGED = 1024
"""Below it Linux lets only root listen (ip_unprivileged_port_start)."""
LEFT = "your partner left"
"""The reason of a forward that ended in order."""
GIVES = Offer(Use.FORWARD, Side.GIVES)
TAKES = Offer(Use.FORWARD, Side.TAKES)


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
        theirs = await exchange(stream, GIVES)
        emit(Forwarding("gives", [] if self.target is None else [str(self.target)]))
        if theirs == PIPE:
            await self._serve_pipe(stream, emit)
        else:
            await Mux(stream, opens=False).run(lambda far: self._serve(far, emit))
            emit(Closed(stream.sent, stream.received, LEFT))

    async def _serve(self, far: MuxStream, emit: Emit) -> None:
        place = self._place(far.authority)
        if place is None:
            shown = "a target" if far.authority == DEFAULT else far.authority
            far.refuse(f"{shown} is not allowed here", forbidden=True)
            emit(Forwarded(far.authority, 0, 0, "not allowed"))
            return
        try:
            reader, writer = await _connect(place)
        except OSError as error:
            far.refuse(f"{place}: {places.why(error)}", forbidden=False)
            emit(Forwarded(str(place), 0, 0, places.why(error)))
            return
        far.accept()
        emit(await join(str(place), reader, writer, far))

    async def _serve_pipe(self, stream: Stream, emit: Emit) -> None:
        """Join a partner's pipe to the target: its bytes as they are, and only these two ends."""
        if self.target is None:
            await leave(stream, "there is no --forward, only --allow: give --bind and --to")
            raise UsageError(
                "your partner has a plain pipe, and there is no --forward here",
                "Name its target with --forward, or let it run `midair connect --bind --to`",
            )
        try:
            reader, writer = await _connect(self.target)
        except OSError as error:
            why = f"{self.target}: {places.why(error)}"
            await leave(stream, why)
            hint = "Your partner's pipe has ended; see whether the target runs"
            raise BrokenError(why, hint) from None
        try:
            done = await join(str(self.target), reader, writer, stream)
            reason = done.reason
            try:
                await stream.wait_closed()
            except StreamBrokenError as error:
                reason = error.reason if reason == DONE else reason
        except BaseException:
            stream.abort("interrupted")
            raise
        emit(Closed(done.sent, done.received, reason))
        if reason != DONE:
            raise BrokenError(f"the connection to {self.target} broke: {reason}")

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
        await exchange(stream, TAKES)
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
        emit(Closed(stream.sent, stream.received, LEFT))

    async def _accept(
        self,
        place: Place,
        sock: socket.socket,
        tasks: asyncio.TaskGroup,
        mux: Mux,
        slots: asyncio.Semaphore,
        emit: Emit,
    ) -> None:
        loop, clock = asyncio.get_running_loop(), SystemClock()
        short = False
        while True:
            # More than the partner takes wait in the kernel, and not in our memory.
            if slots.locked():
                emit(Warned(f"{STREAMS} connections are the most: others wait until one ends"))
            await slots.acquire()
            try:
                near, _ = await loop.sock_accept(sock)
            except OSError as error:
                slots.release()
                if isinstance(error, ConnectionAbortedError):
                    continue
                # Too many open files, say: those that wait in the kernel are accepted later.
                if not short:
                    emit(Warned(f"{place} accepts no connections for now: {error.strerror}"))
                short = True
                await clock.sleep_until(MonoNs(clock.now() + ACCEPT_AGAIN_NS))
                continue
            short = False
            task = tasks.create_task(self._hand_over(near, mux, emit))
            task.add_done_callback(lambda _: slots.release())

    async def _hand_over(self, near: socket.socket, mux: Mux, emit: Emit) -> None:
        name = "the target" if self.to is None else str(self.to)
        try:
            reader, writer = await asyncio.open_connection(sock=near, limit=places.READ_AHEAD)
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
        except BaseException:
            writer.transport.abort()
            raise
        else:
            emit(await join(name, reader, writer, far))


async def _connect(place: Place) -> places.Ends:
    """Connect to a target.

    Raises:
        OSError: nobody accepts there, or not in time.
    """
    try:
        async with asyncio.timeout(CONNECT_S):
            return await places.connect(place)
    except TimeoutError as error:
        # Ours has no errno; the kernel's own, ETIMEDOUT, is the same class.
        if error.errno is not None:
            raise
        raise OSError(f"no answer within {CONNECT_S:g} s") from None

"""One connection of the relay; two of them become a :mod:`rendezvous.relay_pair`.

Theory of operation
-------------------
Exactly the header is read; what a client sends while it waits for its partner is a breach. From
GO on each end has one buffer, into which its socket is read and out of which the partner's socket
is written. What the kernel does not take at once stays in the buffer (asyncio of Python 3.11 keeps
a copy of it), and the end is not read again before it is gone. So a pair has two buffers, however
much is sent and however slow the reader is.

The end of a direction is passed on, so that the other one can go on; when one connection breaks,
both do.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from enum import Enum, auto
from typing import Protocol

from rendezvous.allowance import client_key
from rendezvous.protocol.messages import Seat
from rendezvous.protocol.relay import HEADER_OCTETS, Status
from rendezvous.relay_bounds import Bounds
from rendezvous.relay_pair import Pair, chunk_octets

log = logging.getLogger(__name__)

_RST_AT_CLOSE = struct.pack("ii", 1, 0)


class Desk(Protocol):
    """Who decides: :class:`rendezvous.relay.Relay`."""

    @property
    def bounds(self) -> Bounds:
        """The operator's limits."""
        ...

    @property
    def has_words(self) -> bool:
        """Tell whether one more refused client may stay to hear so."""
        ...

    def enter(self, end: End) -> Status | None:
        """Count a connection in."""
        ...

    def seat(self, end: End, data: bytes) -> Status:
        """Let a client sit down."""
        ...

    def forget(self, end: End, refusal: Status | None) -> None:
        """Count a connection out."""
        ...


class _Hold(Enum):
    """Why an end is not read."""

    FULL = auto()
    """Its buffer has not been written to the partner yet."""
    PACE = auto()
    """It sends faster than the operator allows."""


class End(asyncio.BufferedProtocol):
    """One client.

    Attributes:
        client: its client key.
        place: its session and seat, once it has shown a ticket.
    """

    def __init__(self, desk: Desk) -> None:
        """Make the end of a connection that is being accepted."""
        self.client = ""
        self.place: tuple[str, Seat] | None = None
        self.ended = False
        """It has sent all that it will ever send."""
        self._desk = desk
        self._buffer = memoryview(bytearray(HEADER_OCTETS))
        self._got = 0
        self._refusal: Status | None = None
        self._pair: Pair | None = None
        self._holds: set[_Hold] = set()
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        peer = transport.get_extra_info("peername")
        self.client = client_key(peer[0]) if peer else ""  # none: gone before it was accepted
        self._refusal = self._desk.enter(self)
        if self._refusal is not None and not self._desk.has_words:
            transport.abort()
        self._leave_after(self._desk.bounds.header_s, Status.MALFORMED)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out; a partner whose stream is cut is cut off, too."""
        self._stop_waiting()
        self._desk.forget(self, self._refusal)
        if self._pair is not None:
            self._pair.lost(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give the buffer: of the header no octet more, since what follows waits for GO."""
        return self._buffer[self._got :] if self.place is None else self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take octets."""
        if self._transport.is_closing():
            return
        if self._pair is not None:
            self._pair.carry(self, self._buffer[:nbytes])
        elif self.place is not None:
            self.leave(Status.MALFORMED)  # spoke before GO
        else:
            self._got += nbytes
            if self._got == HEADER_OCTETS:
                self._show_ticket()

    def eof_received(self) -> bool:
        """Pass the end of a direction on, and keep the other one."""
        self.ended = True
        return self._pair is not None and self._pair.finish(self)

    def pause_writing(self) -> None:
        """Read the partner no more: its octets are still in its buffer."""
        if self._pair is not None:
            self._pair.other(self).hold(_Hold.FULL)

    def resume_writing(self) -> None:
        """Read the partner again."""
        if self._pair is not None:
            self._pair.other(self).let_go(_Hold.FULL)

    @property
    def is_leaving(self) -> bool:
        """Tell whether this connection is about to be over."""
        return self._transport.is_closing()

    def join(self, waiting: End, bounds: Bounds) -> None:
        """Carry octets between this end and one that has waited, which hears GO."""
        pair = Pair((waiting, self), bounds)
        for end in (waiting, self):
            end._stop_waiting()
            end._pair, end._buffer = pair, memoryview(bytearray(chunk_octets(bounds.octets_per_s)))
        waiting._transport.write(bytes([Status.GO]))

    def leave(self, status: Status) -> None:
        """End this connection in order, and its partner's; only who is alone hears why."""
        if self._pair is not None:
            self._pair.end(status.name)
        elif not self._transport.is_closing():
            self._transport.write(bytes([status]))
            self._transport.close()

    def hold(self, why: _Hold) -> None:
        """Read nothing for now."""
        self._holds.add(why)
        self._transport.pause_reading()

    def let_go(self, why: _Hold) -> None:
        """Read again, unless something else is in the way."""
        self._holds.discard(why)
        if not self._holds and not self.ended:
            self._transport.resume_reading()

    def send(self, data: memoryview) -> None:
        """Send what the partner has sent; where that takes time it is read no more meanwhile."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def slow_down(self, seconds: float) -> None:
        """Read nothing for so long."""
        self.hold(_Hold.PACE)
        asyncio.get_running_loop().call_later(seconds, self.let_go, _Hold.PACE)

    def finish_sending(self) -> None:
        """Pass on that the partner has sent all."""
        if not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Send what is in the way to this client, and close."""
        self._transport.close()

    def abort(self) -> None:
        """Close at once, with a RST: a stream that is cut off must not look like one that ended."""
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _RST_AT_CLOSE
        )
        self._transport.abort()

    def _show_ticket(self) -> None:
        status = self._refusal or self._desk.seat(self, bytes(self._buffer))
        if status in (Status.WAITING, Status.GO):
            self._transport.write(bytes([status]))
            if status is Status.WAITING:
                self._leave_after(self._desk.bounds.wait_s, Status.ALONE)
        else:
            log.debug("> %s: the relay refused: %s", self.client, status.name)
            self.leave(status)

    def _leave_after(self, seconds: float, status: Status) -> None:
        self._stop_waiting()
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(seconds, self.leave, status)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

"""The relay: joins two outgoing TCP connections of one session, octet by octet.

Not for reading what it carries: that is encrypted from peer to peer. Not for deciding whom to let
in: a ticket of :class:`rendezvous.tokens.Tokens` says so, once. Not for the connections
themselves: :mod:`rendezvous.relay_end`. The header and the answers are drawn in
:mod:`rendezvous.protocol.relay`.

Nobody is refused in silence, but for garbage and for who comes in crowds; and nobody keeps more
than a socket without a ticket, for the time of ``header_s``, or until there is no room for the
next one: strangers from many addresses do not keep those out who have a ticket.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter, deque
from dataclasses import dataclass, field

from rendezvous.accepting import accepting
from rendezvous.clock import Clock
from rendezvous.descriptors import REFUSALS
from rendezvous.protocol import relay as codec
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.messages import Seat
from rendezvous.protocol.relay import Status
from rendezvous.relay_bounds import Bounds as Bounds
from rendezvous.relay_end import End
from rendezvous.relay_pair import CHUNK_OCTETS
from rendezvous.tokens import TICKET_LIFE_US, Tokens

log = logging.getLogger(__name__)

UNSEATED = 64
"""Connections beside those of all pairs: they show their tickets, or hear why not."""
KEEPALIVE_S = (10, 5, 3)
"""Idle, interval, probes: a host that is gone is noticed, at the latest after the TCP user timeout
(``unread_s``), and its partner's connection then broken: its own probes reach only the relay."""


@dataclass(slots=True)
class Relay:
    """Listeners, and the ends that are joined or wait to be."""

    clock: Clock
    tokens: Tokens
    bounds: Bounds
    ends: set[End] = field(default_factory=set)
    """All connections that were let in."""
    _unseated: dict[End, None] = field(default_factory=dict)
    """Those of them that have shown no ticket, in the order in which they came."""
    refusing: int = 0
    """Clients above a limit that are being told so."""
    _seats: dict[str, dict[Seat, End]] = field(default_factory=dict)
    """By session."""
    _per_client: Counter[str] = field(default_factory=Counter)
    _shown: set[bytes] = field(default_factory=set)
    """The tickets of the last minute, by their MACs: each is good once."""
    _shown_until: deque[tuple[int, bytes]] = field(default_factory=deque)
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def listen(self, sockets: list[socket.socket]) -> None:
        """Join who comes on these sockets from now on.

        Args:
            sockets: bound TCP sockets; owned from here on.
        """
        for sock in sockets:
            _tune(sock, self.bounds.octets_per_s)
        self._servers += await accepting(sockets, lambda: End(self))

    def close(self) -> None:
        """Stop listening, tell those who wait, and end every pair."""
        for server in self._servers:
            server.close()
        for end in tuple(self.ends):
            end.leave(Status.GOING_AWAY)

    def enter(self, end: End) -> Status | None:
        """Count a connection in.

        Args:
            end: a new one.

        Returns:
            None: it may show its ticket; else what it hears when it does.
        """
        status = None
        if self._per_client[end.client] >= self.bounds.per_client:
            status = Status.TOO_MANY
        elif len(self.ends) >= self.bounds.connections and not self._make_room():
            status = Status.FULL
        if status is None:
            self._per_client[end.client] += 1
            self.ends.add(end)
            self._unseated[end] = None
        else:
            self.refusing += 1
        return status

    @property
    def has_words(self) -> bool:
        """Tell whether one more refused client may stay to hear so."""
        return self.refusing <= REFUSALS

    def seat(self, end: End, data: bytes) -> Status:
        """Let a client sit down, and join it to its partner if that is there.

        Args:
            end: a client that has sent its whole header.
            data: the header.

        Returns:
            What the client is to hear.
        """
        try:
            ticket = codec.decode(data)
        except ProtocolError:
            return Status.MALFORMED
        if not self.tokens.admits(ticket):
            return Status.FORBIDDEN
        if self.clock.now_us() > ticket.expiry_us:
            return Status.EXPIRED
        seats = self._seats.get(ticket.session, {})
        if ticket.seat in seats or not self._is_new(ticket.mac):
            return Status.TAKEN
        if not seats and len(self._seats) >= self.bounds.pairs:
            return Status.FULL
        for partner in seats.values():
            if partner.is_leaving:
                return Status.ALONE
            end.join(partner, self.bounds)
        self._seats.setdefault(ticket.session, {})[ticket.seat] = end
        end.place = (ticket.session, ticket.seat)
        del self._unseated[end]
        return Status.GO if seats else Status.WAITING

    def forget(self, end: End, refusal: Status | None) -> None:
        """Count a connection out.

        Args:
            end: one that is over.
            refusal: what :meth:`enter` said.
        """
        if refusal is not None:
            self.refusing -= 1
            return
        self.ends.discard(end)
        self._unseated.pop(end, None)
        self._per_client[end.client] -= 1
        if not self._per_client[end.client]:
            del self._per_client[end.client]
        if end.place is not None:
            session, seat = end.place
            del self._seats[session][seat]
            if not self._seats[session]:
                del self._seats[session]

    def _make_room(self) -> bool:
        """Send the client away that has been here for longest without a ticket; tell if one was."""
        oldest = next(iter(self._unseated), None)
        if oldest is None:
            return False
        del self._unseated[oldest]
        oldest.leave(Status.FULL)
        return True

    def _is_new(self, mac: bytes) -> bool:
        now_us = self.clock.now_us()
        while self._shown_until and self._shown_until[0][0] < now_us:
            self._shown.discard(self._shown_until.popleft()[1])
        if mac in self._shown:
            return False
        self._shown.add(mac)
        # No genuine ticket is good for longer than this.
        self._shown_until.append((now_us + TICKET_LIFE_US, mac))
        return True


def _tune(listener: socket.socket, octets_per_s: int | None) -> None:
    """Set what accepted sockets inherit.

    A peer gives its connection up when its octets are not taken for 25 s (RFC 5482): a relay that
    takes some now and then, and not many at last, keeps both sides.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        idle, interval, probes = KEEPALIVE_S
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probes)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Else the kernel takes megabytes for a slow reader, and says that there is room again
        # when a third of them has gone: the writer's window would stay shut meanwhile.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, CHUNK_OCTETS)
    if octets_per_s is not None:
        # The same of a sender that is slowed down. Less than a few segments (64 KiB each, on
        # loopback) would never let one of them in.
        window = min(max(octets_per_s, CHUNK_OCTETS), 4 * 1024 * 1024)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)

"""Carry the race over real connections: greetings out and in, one winner.

Greetings are at most 64 bytes and the connections are fresh, so every send goes
straight into an empty socket buffer; a send that cannot is a broken connection.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from peer.core.greeting import Facts, Greeting, GreetingDecoder, encode
from peer.core.proof import NONCE_BYTES
from peer.core.race import Race
from peer.core.race_events import (
    Broken,
    Drop,
    Event,
    Keep,
    Opened,
    Received,
    Send,
    SetTimer,
    TellFacts,
    TimerFired,
)
from peer.io.clock import Clock
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.times import NS_PER_S


@dataclass(frozen=True, slots=True)
class Winner:
    """The connection that both ends keep."""

    pair: int
    sock: socket.socket
    own_facts: Facts
    """As they were told to the far end."""
    far_facts: Facts


@dataclass(slots=True)
class Racer:
    """The opened connections of one attempt.

    Attributes:
        winner: the connection that both ends keep, once there is one.
    """

    race: Race
    clock: Clock
    facts: Callable[[int], Facts]
    """This end's facts about a pair, asked when SELECT or SELECTED goes out."""
    on_news: Callable[[], None]
    """Called when there is a winner, and when a connection was dropped."""
    tie_break: bytes = b""
    """What every nonce begins with; empty where the roles are appointed."""
    winner: Winner | None = None
    _closed: bool = False
    _socks: dict[int, socket.socket] = field(default_factory=dict)
    _decoders: dict[int, GreetingDecoder] = field(default_factory=dict)
    _told: dict[int, Facts] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None

    def opened(self, pair: int, sock: socket.socket) -> None:
        """Take a connection in.

        Args:
            pair: its pair.
            sock: connected and non-blocking; stays the caller's to close.
        """
        if self.winner is not None or self._closed:
            return
        self._socks[pair] = sock
        self._decoders[pair] = GreetingDecoder()
        asyncio.get_running_loop().add_reader(sock, self._readable, pair)
        fresh = secrets.token_bytes(NONCE_BYTES - len(self.tie_break))
        self._handle(Opened(pair, self.tie_break + fresh))

    def close(self) -> None:
        """Stop reading everywhere; sockets stay the caller's to close."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for pair in list(self._socks):
            self._forget(pair)

    def _forget(self, pair: int) -> None:
        sock = self._socks.pop(pair, None)
        if sock is not None:
            asyncio.get_running_loop().remove_reader(sock)

    def _readable(self, pair: int) -> None:
        decoder, sock = self._decoders[pair], self._socks[pair]
        try:
            # One greeting's bytes at a time: what follows the last one is the stream's.
            while pair in self._socks and self.winner is None:
                data = sock.recv(decoder.wanted)
                if not data:
                    self._handle(Broken(pair))
                    return
                decoder.feed(data)
                message = decoder.next()
                if message is not None:
                    self._handle(Received(pair, message))
        except BlockingIOError:
            return
        except (OSError, ProtocolError):
            self._handle(Broken(pair))

    def _handle(self, event: Event) -> None:
        for command in self.race.handle(event, now=self.clock.now()):
            match command:
                case Send(pair, message):
                    self._send(pair, message)
                case TellFacts(pair, kind):
                    self._told[pair] = self.facts(pair)
                    self._send(pair, kind(self._told[pair]))
                case Drop(pair):
                    self._drop(pair)
                case SetTimer(at):
                    self._arm(at)
                case Keep(pair, far_facts):
                    sock = self._socks[pair]
                    self._forget(pair)
                    self.winner = Winner(pair, sock, self._told[pair], far_facts)
                    self.on_news()

    def _send(self, pair: int, message: Greeting) -> None:
        sock = self._socks.get(pair)
        if sock is None:
            return
        data = encode(message)
        try:
            sent = sock.send(data)
        except OSError:
            sent = 0
        if sent != len(data):
            # Told from the loop, not from within the machine's own call.
            asyncio.get_running_loop().call_soon(self._broken, pair)

    def _broken(self, pair: int) -> None:
        if pair in self._socks:
            self._handle(Broken(pair))

    def _drop(self, pair: int) -> None:
        sock = self._socks.get(pair)
        self._forget(pair)
        if sock is not None:
            sock.close()
        self.on_news()

    def _arm(self, at: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0, at - self.clock.now()) / NS_PER_S
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay, self._handle, TimerFired())

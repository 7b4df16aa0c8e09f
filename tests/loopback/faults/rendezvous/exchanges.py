"""One exchange of a peer with its rendezvous, and the faults that a middleman commits."""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.loopback.programs import PATIENCE_S


class GoneError(ConnectionError):
    """One side has closed its connection."""


@dataclass(slots=True)
class Exchange:
    """One request on its way."""

    request: bytes
    peer: socket.socket
    server: socket.socket

    def ask(self) -> bytes:
        """Hand the request on; return the whole answer, while the peer still wants it."""
        self.server.sendall(self.request)
        readable, _, _ = select.select([self.peer, self.server], [], [])
        if self.server not in readable:
            raise GoneError("the peer")
        return read_message(self.server)

    def deliver(self, answer: bytes) -> None:
        """Hand an answer back."""
        self.peer.sendall(answer)

    def until_gone(self) -> None:
        """Do nothing until the peer gives this connection up."""
        while self.peer.recv(4096):
            pass
        raise GoneError("the peer")

    def reset(self) -> None:
        """End the peer's connection by a RST."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise GoneError("reset")


Fault = Callable[[Exchange], None]


def pass_on(exchange: Exchange) -> None:
    """Do what a proxy does."""
    exchange.deliver(exchange.ask())


def lose_by_reset(exchange: Exchange) -> None:
    """Swallow the answer; the connection ends with a RST."""
    exchange.ask()
    exchange.reset()


def lose_by_close(exchange: Exchange) -> None:
    """Swallow the answer; the connection ends with a FIN."""
    exchange.ask()
    raise GoneError("closed")


def cut(exchange: Exchange) -> None:
    """Deliver half of the answer; the connection ends with a FIN."""
    answer = exchange.ask()
    exchange.deliver(answer[: len(answer) // 2])
    raise GoneError("closed")


def stall(exchange: Exchange) -> None:
    """Swallow the answer and leave the connection open."""
    exchange.ask()
    exchange.until_gone()


def late(seconds: float) -> Fault:
    """Return a fault that keeps the answer for so long."""

    def deliver_late(exchange: Exchange) -> None:
        answer = exchange.ask()
        time.sleep(seconds)
        exchange.deliver(answer)

    return deliver_late


def in_pieces(exchange: Exchange) -> None:
    """Deliver the answer octet by octet."""
    exchange.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in exchange.ask():
        exchange.deliver(bytes([octet]))
        time.sleep(0.001)


def edit(old: bytes, new: bytes) -> tuple[Fault, Fault]:
    """Return two faults that change a few octets, of a request and of an answer."""
    assert len(old) == len(new)

    def ask_otherwise(exchange: Exchange) -> None:
        assert old in exchange.request
        exchange.request = exchange.request.replace(old, new)
        pass_on(exchange)

    def answer_otherwise(exchange: Exchange) -> None:
        answer = exchange.ask()
        assert old in answer
        exchange.deliver(answer.replace(old, new))

    return ask_otherwise, answer_otherwise


def answering(change: Callable[[dict[str, Any]], None]) -> Fault:
    """Return a fault that changes the JSON of an answer."""

    def answer_otherwise(exchange: Exchange) -> None:
        head, _, body = exchange.ask().partition(b"\r\n\r\n")
        told = json.loads(body)
        change(told)
        body = json.dumps(told).encode()
        length = b"content-length: %d" % len(body)
        head = re.sub(rb"content-length: *\d+", length, head, flags=re.IGNORECASE)
        exchange.deliver(head + b"\r\n\r\n" + body)

    return answer_otherwise


class Hold:
    """A fault that keeps an exchange until it is released, and then breaks its connection."""

    def __init__(self, *, answered: bool) -> None:
        """Say where: before the server hears of the request, or once it has answered it."""
        self._answered = answered
        self._there = threading.Event()
        self._released = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        """Keep it."""
        if self._answered:
            exchange.ask()
        self._there.set()
        self._released.wait(PATIENCE_S)
        raise GoneError("let go")

    def wait(self) -> None:
        """Wait until an exchange is held."""
        assert self._there.wait(PATIENCE_S), "no such request came"

    def release(self) -> None:
        """Break the connection; the peer asks again."""
        self._released.set()


def read_message(sock: socket.socket) -> bytes:
    """Read one HTTP message from a connection; the programs announce every body's length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    missing = (int(length[1]) if length else 0) - len(body)
    while missing > 0:
        more = _some(sock)
        data += more
        missing -= len(more)
    return data


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise GoneError("the other side")
    return data

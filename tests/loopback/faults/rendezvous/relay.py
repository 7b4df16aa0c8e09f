"""A middleman between peers and their rendezvous, who loses and delays what he is told to.

He takes one request, hands it on, and hands the answer back, as a proxy does.  A *fault* is
done instead to the next exchange of its kind, once.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.loopback.programs import PATIENCE_S


class Kind(StrEnum):
    """What a request asks for."""

    OPEN = r"POST /v1/sessions "
    JOIN = r"POST /v1/sessions/\d+/join "
    WAIT = r"POST /v1/sessions/\d+/wait "
    REPORT = r"POST /v1/sessions/\d+/attempts/\d+ "
    LEAVE = r"POST /v1/sessions/\d+/leave "
    TIME = r"GET /v1/time "


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


class Relay:
    """The middleman; :func:`relay` makes one."""

    def __init__(self, target: int) -> None:
        """Listen.

        Args:
            target: the rendezvous's port on 127.0.0.1.
        """
        self._target = target
        self._faults: dict[Kind, deque[Fault]] = {kind: deque() for kind in Kind}
        self._always: dict[Kind, Fault] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Condition()
        self._seen: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def does(self, kind: Kind, *faults: Fault) -> None:
        """Do this to the next exchanges of a kind, one fault each."""
        self._faults[kind].extend(faults)

    def always_does(self, kind: Kind, fault: Fault) -> None:
        """Do this to every exchange of a kind, where there is nothing else to do to it."""
        self._always[kind] = fault

    @property
    def left(self) -> list[Kind]:
        """The kinds with faults that were not done yet."""
        return [kind for kind, faults in self._faults.items() if faults]

    def wait_for(self, kind: Kind, count: int = 1) -> None:
        """Wait until so many requests of a kind have been handed on."""
        with self._lock:
            met = self._lock.wait_for(lambda: self._seen[kind] >= count, PATIENCE_S)
        assert met, f"{count} times {kind!r}: no"

    def close(self) -> None:
        """End every connection, and be gone."""
        with self._lock:
            ending = [self._listener, *self._sockets]
        for sock in ending:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        # Shut down, a listener's accept() raises.
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._start(self._serve, peer)

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(ConnectionError), peer, self._known(peer):
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except ConnectionRefusedError:
                Exchange(b"", peer, peer).reset()
            with server, self._known(server):
                while True:
                    readable, _, _ = select.select([peer, server], [], [])
                    if server in readable:  # it says something only when it goes
                        return
                    request = read_message(peer)
                    self._fault_for(request)(Exchange(request, peer, server))

    def _fault_for(self, request: bytes) -> Fault:
        for kind, faults in self._faults.items():
            if re.match(kind, request.decode("latin-1")):
                fault = faults.popleft() if faults else self._always.get(kind, pass_on)
                with self._lock:
                    self._seen[kind] += 1
                    self._lock.notify_all()
                return fault
        raise AssertionError(f"what is {request!r}?")

    @contextlib.contextmanager
    def _known(self, sock: socket.socket) -> Iterator[None]:
        with self._lock:
            self._sockets.add(sock)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.remove(sock)


@contextlib.contextmanager
def relay(target: int) -> Iterator[Relay]:
    """Stand between peers and the rendezvous on this port; every fault must be done."""
    between = Relay(target)
    try:
        yield between
        assert not between.left, "faults that nobody asked for"
    finally:
        between.close()


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

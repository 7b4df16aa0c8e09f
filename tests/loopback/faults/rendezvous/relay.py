"""A middleman between peers and their rendezvous, who loses and delays what he is told to.

He takes one request, hands it on, and hands the answer back, as a proxy does.  A *fault* is
done instead to the next exchange of its kind, once.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from enum import StrEnum

from tests.loopback.faults.rendezvous.exchanges import Exchange, Fault, pass_on, read_message
from tests.loopback.programs import PATIENCE_S


class Kind(StrEnum):
    """What a request asks for."""

    OPEN = r"POST /v1/sessions "
    JOIN = r"POST /v1/sessions/\d+/join "
    WAIT = r"POST /v1/sessions/\d+/wait "
    REPORT = r"POST /v1/sessions/\d+/attempts/\d+ "
    LEAVE = r"POST /v1/sessions/\d+/leave "
    TIME = r"GET /v1/time "


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

"""The volley: connect() on every bound socket at the instant, and again when refused.

Theory of operation
-------------------
One plain thread does nothing else: it sleeps until shortly before the instant,
spins the rest (asyncio would wake 0.9 ms late), calls ``connect_ex`` on each
socket, and then sits in epoll.  Whatever epoll says about a socket, one more
``connect_ex`` tells what happened: EISCONN or 0, it is open; EALREADY, still
pending; anything else is the refusal, which that call collects, and the *next*
one is a new SYN.  The socket's error queue is drained first, or epoll would
report it for ever (202,367 wake-ups for 24 shots in half a second).

A socket whose shot is put off leaves epoll: a closed TCP socket reports EPOLLHUP
until it connects.

When to fire again is decided by :class:`peer.core.volley.VolleyRule`.
"""

from __future__ import annotations

import errno
import random
import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from peer.core.times import MonoNs
from peer.core.volley import VolleyRule
from peer.io.clock import monotonic_ns, sleep_then_spin
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.times import NS_PER_S

_PENDING = (errno.EINPROGRESS, errno.EALREADY)
_OPEN = (0, errno.EISCONN)
_HOPELESS = (errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM, errno.EADDRINUSE, errno.EAFNOSUPPORT)
"""Errors of this host: firing again would only repeat them."""
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH)
FINE_PATIENCE_S = 0.01
SELECT_DESCRIPTORS = 1024  # FD_SETSIZE, select(2)
_EVENTS = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP


@dataclass(slots=True)
class Barrel:
    """One socket of the volley and what became of it."""

    pair: int
    sock: socket.socket
    remote: Endpoint
    first_at: MonoNs | None = None
    """When its first shot left."""
    fatal: int = 0
    """The errno that took it out of the volley."""
    queued: bool = False
    """Refused, and in line for its next shot: a connect() before that would be one, uncounted,
    and its refusal would put the barrel in line twice."""

    @property
    def address(self) -> tuple[str, int]:
        """What connect() takes."""
        return (self.remote.address, self.remote.port)


_Shot = tuple[Barrel, Callable[[tuple[str, int]], int], tuple[str, int]]
_Fired = tuple[Barrel, MonoNs, int]


@dataclass(slots=True)
class VolleyThread:
    """One attempt's shots.  ``start()`` it before the instant, ``stop()`` it in any case.

    Attributes:
        rule: counts, to be read at any time.
        unreachable: refusals that said *no route*, *network* or *host unreachable*.
        error: what ended the thread, if it was not its duty done.
        finished: no more shots will leave.
    """

    barrels: Sequence[Barrel]
    instant: MonoNs
    rule: VolleyRule
    on_open: Callable[[Barrel, int], None]
    """Called in the thread: a pair is connected, with the number of its shots."""
    on_end: Callable[[], None]
    """Called in the thread, last."""
    unreachable: int = 0
    error: BaseException | None = None
    finished: bool = False
    _by_fd: dict[int, Barrel] = field(default_factory=dict)
    _ready: deque[Barrel] = field(default_factory=deque)
    _stop: bool = False
    _poll: select.epoll = field(default_factory=select.epoll)
    _wake: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; it sleeps until the instant."""
        self._thread = threading.Thread(target=self._run, name="volley", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the volley and wait for the thread; sockets that are not open stay as they are."""
        self._stop = True
        self._wake[1].send(b"x")
        if self._thread is not None:
            self._thread.join()
        for sock in self._wake:
            sock.close()
        self._poll.close()

    @property
    def first_at(self) -> MonoNs | None:
        """When the volley's first shot left; None: not yet."""
        return min((b.first_at for b in self.barrels if b.first_at is not None), default=None)

    def _run(self) -> None:
        try:
            self._poll.register(self._wake[0], select.EPOLLIN)
            # Made ready, and run once for nothing: code that runs for the first time takes tens
            # of microseconds, which would all lie between the instant and the first SYN.
            shots = [(b, b.sock.connect_ex, b.address) for b in self.barrels[: self.rule.budget]]
            _salvo([], self.rule.deadline)
            sleep_then_spin(self.instant, lambda: self._stop)
            if not self._stop:
                self._volley(_salvo(shots, self.rule.deadline))
        except BaseException as error:
            self.error = error
        finally:
            self.finished = True
            self.on_end()

    def _volley(self, first: Sequence[_Fired]) -> None:
        due = {barrel.pair: barrel for barrel in self.barrels}
        for barrel, at, code in first:
            barrel.first_at = at
            self._fired(barrel, code)
        while not self._stop and monotonic_ns() < self.rule.deadline:
            # In turn: a pair that is refused within connect() must not keep the others waiting.
            fired = list(self._ready)
            self._ready.clear()
            pending = [barrel for barrel in fired if self._fire(barrel)]
            for barrel in pending:
                # Not after the first shots: the partner's are due on the same processor, perhaps.
                if barrel.pair in self.rule.refused_of:
                    self._look_again(barrel)
            if not (self._ready or self._by_fd) and self.rule.next_due() is None:
                break
            for fd, _ in self._wait(self._patience_s()):
                if fd in self._by_fd:
                    self._look(self._by_fd[fd])
            self._ready.extend(due[pair] for pair in self.rule.take_due(monotonic_ns()))

    def _wait(self, patience_s: float) -> list[tuple[int, int]]:
        # epoll rounds its patience up to whole milliseconds, which is all of a shot's spacing;
        # select does not, but knows only the first 1024 descriptors.
        if 0 < patience_s < FINE_PATIENCE_S and self._poll.fileno() < SELECT_DESCRIPTORS:
            select.select([self._poll], (), (), patience_s)
            patience_s = 0
        return self._poll.poll(patience_s)

    def _patience_s(self) -> float:
        if self._ready:
            return 0
        wake_at = self.rule.next_due()
        if wake_at is None or wake_at > self.rule.deadline:
            wake_at = self.rule.deadline
        return max(0, wake_at - monotonic_ns()) / NS_PER_S

    def _fire(self, barrel: Barrel) -> bool:
        """Send one SYN; say whether its outcome is still open."""
        barrel.queued = False
        if self.rule.spent:
            self._unwatch(barrel)
            return False
        return self._fired(barrel, barrel.sock.connect_ex(barrel.address))

    def _fired(self, barrel: Barrel, code: int) -> bool:
        self.rule.fired(barrel.pair)
        if code in _PENDING:
            self._watch(barrel)
            return True
        self._take(barrel, code)
        return False

    def _look(self, barrel: Barrel) -> None:
        if barrel.queued:
            return
        icmp = _drain_errors(barrel.sock)
        code = barrel.sock.connect_ex(barrel.address)
        if code == errno.ECONNABORTED and icmp:
            code = icmp  # Linux clears a socket's errno with the last ICMP that is drained
        if code not in _PENDING:
            self._take(barrel, code)

    def _look_again(self, barrel: Barrel) -> None:
        # On a link without delay the refusal came while connect() ran: one call tells, and
        # the next SYN leaves sooner than by way of epoll.
        code = barrel.sock.connect_ex(barrel.address)
        if code not in _PENDING:
            self._take(barrel, code)

    def _take(self, barrel: Barrel, code: int) -> None:
        """Take the outcome of a shot: open, hopeless, or refused and perhaps fired again."""
        if code in _OPEN:
            self._unwatch(barrel)
            self._opened(barrel)
        elif code in _HOPELESS:
            barrel.fatal = code
            self._unwatch(barrel)
        else:
            self.unreachable += code in _NO_WAY
            if self.rule.refused(barrel.pair, monotonic_ns(), random.random()):
                barrel.queued = True
                self._ready.append(barrel)
            else:
                self._unwatch(barrel)

    def _opened(self, barrel: Barrel) -> None:
        # A socket whose own port is its destination meets itself; nobody else is there.
        if barrel.sock.getsockname()[:2] == barrel.address:
            barrel.fatal = errno.ELOOP
            barrel.sock.close()
            return
        self.on_open(barrel, self.rule.shots_of[barrel.pair])

    def _watch(self, barrel: Barrel) -> None:
        fd = barrel.sock.fileno()
        if fd not in self._by_fd:
            self._by_fd[fd] = barrel
            self._poll.register(fd, _EVENTS)

    def _unwatch(self, barrel: Barrel) -> None:
        fd = barrel.sock.fileno()
        if self._by_fd.pop(fd, None) is not None:
            self._poll.unregister(fd)


def _salvo(shots: Sequence[_Shot], deadline: MonoNs) -> list[_Fired]:
    """Fire every barrel for the first time, as fast as can be; what came of it is looked at later.

    Args:
        shots: in their order.
        deadline: when it has passed, nothing is fired.

    Returns:
        Each barrel, when its connect() was called, and what that said.
    """
    if monotonic_ns() >= deadline:
        return []
    return [(barrel, monotonic_ns(), connect(address)) for barrel, connect, address in shots]


def _drain_errors(sock: socket.socket) -> int:
    """Empty the error queue; returns the errno of the last ICMP in it, 0 without one."""
    found = 0
    while True:
        try:
            _, extra, _, _ = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return found
        for _, _, data in extra:
            # struct sock_extended_err (linux/errqueue.h) starts with ee_errno.
            found = int.from_bytes(data[:4], sys.byteorder) or found

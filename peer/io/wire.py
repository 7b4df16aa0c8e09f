"""A connected socket, plain or TLS: bytes in, bytes out, and its one end.

Not for what the bytes mean: that is :mod:`peer.io.stream`.

The loop tells when the socket is ready, and the socket is used at once, without a transport
between.  With TLS (:class:`peer.io.tls.Tls`, over memory) one read of the kernel brings up to
sixty-four records, where an ``ssl.SSLSocket`` makes two reads for each.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from peer.io.tls import Tls

RECEIVE_BUFFER = 1024 * 1024
"""Bytes taken from the socket at once, before everything else has its turn: about a millisecond."""
HIGH_WATER = 64 * 1024
"""Bytes that may wait for the kernel: asyncio's own default."""
WAITING_MAX = 512 * 1024
"""Bytes that wait at most: HIGH_WATER, one frame behind it, and what the partner has us answer. One
that asks for more and reads nothing (new keys, say: RFC 8446 section 4.6.3) is given up."""
LINGER_S = 3.0
"""How long a finished or aborted stream waits for the partner's FIN: several round trips and
retransmissions (RFC 6298 starts at 1 s). After it nothing of ours is lost, see
:mod:`peer.core.stream_machine`."""

KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds, seconds, probes: a silent partner is given up after 10 + 3 × 5 s, and a NAT that keeps
a connection for a minute is never left alone that long."""
USER_TIMEOUT_MS = 25_000
"""RFC 5482: bytes unacknowledged for so long end the connection; the same as the keepalive's."""


def tune(sock: socket.socket) -> None:
    """Set what a peer's connection needs: no delay for small writes, and a dead partner noticed.

    Args:
        sock: Any stream socket; only a TCP one is changed.
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (KEEPALIVE | {"TCP_USER_TIMEOUT": USER_TIMEOUT_MS}).items():
        # Each is missing on some system; Linux has them all.
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Wire:
    """Owns the socket; hands on what comes, in callbacks that must not raise."""

    def __init__(
        self,
        *,
        on_bytes: Callable[[memoryview], None],
        on_room: Callable[[], None],
        on_end: Callable[[Exception | None, bool], None],
    ) -> None:
        """Take the callbacks.

        Args:
            on_bytes: The next bytes, valid during the call only.
            on_room: :attr:`full` has become False.
            on_end: (error, closed): the partner sent FIN (None, False), or the socket is closed
                (with what ended it, True). The last call is always with True.
        """
        self.full = False
        """More waits for the kernel than it takes: write no more before :attr:`on_room`."""
        self._on_bytes = on_bytes
        self._on_room = on_room
        self._on_end = on_end
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER))
        self._plain = memoryview(b"")
        self._sock: socket.socket | None = None
        self._tls: Tls | None = None
        self._loop: asyncio.AbstractEventLoop
        self._waiting: deque[bytes | memoryview] = deque()
        self._waiting_bytes = 0
        self._received = 0
        self._finishing = False
        self._linger: asyncio.TimerHandle | None = None

    def start(self, sock: socket.socket, tls: Tls | None) -> None:
        """Take the socket over, and begin to read.

        Args:
            sock: Connected and non-blocking; closed by the wire from here on.
            tls: What its bytes go through, the handshake behind it; None: nothing.
        """
        self._sock, self._tls, self._loop = sock, tls, asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)
        if tls is not None:
            self._plain = memoryview(bytearray(RECEIVE_BUFFER))
            # It may have brought the stream's first bytes together with its own last ones.
            self._loop.call_soon(self._guarded, self._open)

    @property
    def moved(self) -> tuple[int, int]:
        """Another value as soon as the far end has sent something, or its kernel taken something.

        Bytes received, and those written that nobody has acknowledged.
        """
        if self._sock is None:
            return self._received, 0
        kept = bytearray(4)
        with suppress(OSError):
            fcntl.ioctl(self._sock, termios.TIOCOUTQ, kept)
        return self._received, self._waiting_bytes + struct.unpack("i", kept)[0]

    def write(self, *parts: bytes | memoryview) -> None:
        """Send bytes, or keep them while the kernel is full; nothing after the end.

        Args:
            parts: none of them empty.
        """
        if self._sock is None or self._finishing:
            return
        self._send(b"".join(parts) if self._tls is None else self._tls.seal(*parts))

    def _send(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        if not self._waiting:
            rest = self._push(data)
            if self._sock is None or not rest:
                return
            self._loop.add_writer(self._sock, self._writable)
        self._waiting.append(rest)
        self._waiting_bytes += len(rest)
        self.full = self._waiting_bytes > HIGH_WATER
        if self._waiting_bytes > WAITING_MAX:
            self._lost(ConnectionError("the partner has us answer and reads nothing"))

    def finish(self) -> None:
        """Send FIN after everything written; close at the partner's FIN or after LINGER_S."""
        if self._sock is None or self._finishing:
            return
        if self._tls is not None:
            # The partner's is not waited for: the stream's ends were acknowledged before.
            self._send(self._tls.seal_end())
            if self._sock is None:
                return
        self._finishing = True
        self._linger = self._loop.call_later(LINGER_S, self._lost, None)
        if not self._waiting:
            self._send_fin()

    def drop(self) -> None:
        """Close now. What the kernel has taken is still sent, unless something came unread."""
        self._lost(None)

    def _push(self, data: bytes | memoryview) -> bytes | memoryview:
        """Give the kernel what it takes; return the rest."""
        assert self._sock is not None
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return data
        except OSError as error:
            self._lost(error)
            return b""
        return memoryview(data)[sent:]

    def _writable(self) -> None:
        while self._waiting:
            data = self._waiting[0]
            rest = self._push(data)
            if self._sock is None:
                return
            self._waiting_bytes -= len(data) - len(rest)
            if rest:
                self._waiting[0] = rest
                break
            self._waiting.popleft()
        if not self._waiting and self._sock is not None:
            self._loop.remove_writer(self._sock)
            if self._finishing:
                self._send_fin()
        if self.full and self._waiting_bytes <= HIGH_WATER // 4:
            self.full = False
            self._on_room()

    def _send_fin(self) -> None:
        assert self._sock is not None
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def _readable(self) -> None:
        self._guarded(self._receive)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (BlockingIOError, InterruptedError):
            return
        except EOFError:
            self._ended()
        except OSError as error:  # TLS's are OSErrors, too
            self._lost(error)

    def _receive(self) -> None:
        assert self._sock is not None
        n = self._sock.recv_into(self._buffer)
        if not n:
            raise EOFError
        self._received += n
        if self._finishing:
            return  # after our end whatever comes is thrown away
        if self._tls is None:
            self._on_bytes(self._buffer[:n])
        else:
            self._tls.take(self._buffer[:n])
            self._open()

    def _open(self) -> None:
        """Decrypt and hand on all that came."""
        assert self._tls is not None
        while self._sock is not None and not self._finishing:
            n = self._tls.open_into(self._plain)
            if not n:
                break
            self._on_bytes(self._plain[:n])
            if self._tls.drained:
                break
        if self._sock is not None and (answer := self._tls.to_send()):
            self._send(answer)  # to a key update: RFC 8446 §4.6.3

    def _ended(self) -> None:
        """Close: the partner sends FIN only when it has nothing to come and nothing to wait for."""
        self._on_end(None, False)
        self._lost(None)

    def _lost(self, error: Exception | None) -> None:
        """Close the socket, and tell the last thing."""
        if self._sock is None:
            return
        sock, self._sock = self._sock, None
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)
        if self._linger is not None:
            self._linger.cancel()
        self._waiting.clear()
        sock.close()
        # From the loop, not from within the caller's own call.
        self._loop.call_soon(self._on_end, error, True)

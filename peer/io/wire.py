"""A connected TCP socket as an asyncio protocol: bytes in, bytes out, and its one end.

Not for what the bytes mean: that is :mod:`peer.io.stream`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

RECEIVE_BUFFER = 256 * 1024
"""Bytes taken from the socket at a time; more did not make loopback faster."""
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


class Wire(asyncio.BufferedProtocol):
    """Owns the transport; hands on what comes, in callbacks that must not raise."""

    def __init__(
        self,
        initial: bytes,
        *,
        on_bytes: Callable[[bytes | memoryview], None],
        on_room: Callable[[], None],
        on_end: Callable[[Exception | None, bool], None],
    ) -> None:
        """Take the callbacks.

        Args:
            initial: Bytes already read from the socket: they come first.
            on_bytes: The next bytes, valid during the call only.
            on_room: :attr:`full` has become False.
            on_end: (error, closed): the partner sent FIN (None, False), or the socket is closed
                (with what ended it, True). The last call is always with True.
        """
        self.full = False
        """More waits for the kernel than it takes: write no more before :attr:`on_room`."""
        self._initial = initial
        self._on_bytes = on_bytes
        self._on_room = on_room
        self._on_end = on_end
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER))
        self._transport: asyncio.Transport | None = None
        self._linger: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        """Send bytes, or keep them while the kernel is full; nothing after the end."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def finish(self) -> None:
        """Send FIN after everything written; close at the partner's FIN or after LINGER_S."""
        if self._transport is None or self._transport.is_closing() or self._linger is not None:
            return
        loop = asyncio.get_running_loop()
        self._linger = loop.call_later(LINGER_S, self._transport.abort)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def drop(self) -> None:
        """Close now. What the kernel has taken is still sent, unless something came unread."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; the bytes read before it existed come first."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # Here, because the transport starts to read only after this call.
        if self._initial:
            self._on_bytes(self._initial)
            self._initial = b""

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the buffer, always whole: what came is handed on at once."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what came."""
        self._on_bytes(self._buffer[:nbytes])

    def eof_received(self) -> bool:
        """Close: the partner sends FIN only when it has nothing to come and nothing to wait for."""
        self._on_end(None, False)
        self.drop()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the last thing."""
        if self._linger is not None:
            self._linger.cancel()
        self._on_end(exc, True)

    def pause_writing(self) -> None:
        """Note that the kernel takes no more."""
        self.full = True

    def resume_writing(self) -> None:
        """Note that it does again."""
        self.full = False
        self._on_room()

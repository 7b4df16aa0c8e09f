"""Calls on sockets that the experiments share, and what a call's outcome is called."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import socket
import struct
from collections.abc import Callable

PATIENCE_S = 5.0
"""Nothing here takes as long; it ends what would wait for ever."""
LOVE = "I love you."
_RESET = struct.pack("ii", 1, 0)
"""struct linger: on, for no time."""

_libc = ctypes.CDLL(None, use_errno=True)


def dissolve(sock: socket.socket) -> None:
    """``connect()`` to an address of family AF_UNSPEC; Python's own refuses that family.

    Raises:
        OSError: what the kernel says.
    """
    # struct sockaddr: the family, 0, and 14 bytes that do not matter.
    if _libc.connect(sock.fileno(), bytes(16), 16) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def outcome(call: Callable[[], object]) -> str:
    """Make a call and name what the kernel answers: ``0`` or the error's name."""
    try:
        call()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "0"


def connect(sock: socket.socket, remote: tuple[str, int]) -> str:
    """Call ``connect()``; ``0``, ``EINPROGRESS`` or another error's name."""
    return _name(sock.connect_ex(remote))


def result(sock: socket.socket, patience_s: float = PATIENCE_S) -> str:
    """Wait for a pending ``connect()`` and name its outcome; ``pending`` if it stays so."""
    if not select.select([], [sock], [], patience_s)[1]:
        return "pending"
    return _name(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def _name(number: int) -> str:
    return errno.errorcode.get(number, str(number)) if number else "0"


def hear(sock: socket.socket, size: int) -> bytes:
    """Read so many bytes, or up to the end, or to the error."""
    heard = b""
    sock.settimeout(PATIENCE_S)
    with contextlib.suppress(OSError):
        while len(heard) < size and (data := sock.recv(size - len(heard))):
            heard += data
    return heard


def close_by_reset(sock: socket.socket) -> None:
    """Close with a RST: nothing of the connection is remembered, no TIME-WAIT stays."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()


def show(endpoint: tuple[str, int]) -> str:
    """Write an endpoint as people do."""
    address, port = endpoint[:2]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

"""Local ports that nothing else takes while a test looks on."""

from __future__ import annotations

import contextlib
import secrets
import socket

from peer.io.sockets import FIRST_PORT

FIRST, LAST = 2_000, FIRST_PORT - 10
"""Below what kernels and peers draw from: none gets one of these by chance."""


def free_ports(count: int = 4) -> int:
    """Find so many free ports in a row, as many as ``--local-port`` takes.

    Returns:
        The first of them.
    """
    while True:
        first = FIRST + secrets.randbelow(LAST - FIRST)
        with contextlib.suppress(OSError), contextlib.ExitStack() as bound:
            for port in range(first, first + count):
                bound.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first

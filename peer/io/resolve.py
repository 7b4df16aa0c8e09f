"""Names to addresses, without blocking and without outliving anybody.

The event loop's own resolver runs in its thread pool, which a program waits for
when it ends: a dead name server would hold the exit up for half a minute.  Here
a daemon thread does it, and is simply forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SocketAddress = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """One address of a name, as the socket module wants it."""

    family: socket.AddressFamily
    address: SocketAddress


async def resolve(host: str, port: int) -> tuple[Target, ...]:
    """Look a host up for datagrams.

    Args:
        host: a name, or an address in numbers (which takes no thread).
        port: put into the addresses.

    Returns:
        The first address of each family, in the resolver's order.

    Raises:
        OSError: if there is no such name, or nobody to ask.
    """
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        return _lookup(host, port, numeric)
    except socket.gaierror:
        return await _in_daemon_thread(lambda: _lookup(host, port, socket.AI_NUMERICSERV))


def _lookup(host: str, port: int, flags: int) -> tuple[Target, ...]:
    # A str is encoded as an international name, whose tables would be loaded in the middle of what
    # is measured.
    name = host.encode("ascii") if host.isascii() else host
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_DGRAM, flags=flags)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
    first: dict[socket.AddressFamily, Target] = {}
    for family, _, _, _, address in found:
        first.setdefault(family, Target(family, address))
    return tuple(first.values())


async def _in_daemon_thread(look_up: Callable[[], tuple[Target, ...]]) -> tuple[Target, ...]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[Target, ...]] = loop.create_future()

    def settle(outcome: tuple[Target, ...] | OSError) -> None:
        if answer.done():
            return
        if isinstance(outcome, OSError):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    def work() -> None:
        outcome: tuple[Target, ...] | OSError
        try:
            outcome = look_up()
        except OSError as error:
            outcome = error
        with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=work, name="resolve", daemon=True).start()
    return await answer

"""How the reflector and the relay accept: the same loop, and the same short queues."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable

from rendezvous.descriptors import ACCEPTED_AT_ONCE, BACKLOG


async def accepting(
    sockets: Iterable[socket.socket], protocol: Callable[[], asyncio.BaseProtocol]
) -> list[asyncio.Server]:
    """Accept on sockets from now on.

    Args:
        sockets: bound TCP sockets; owned by the servers from here on.
        protocol: makes what serves a connection.

    Returns:
        What to close at the end.
    """
    loop = asyncio.get_running_loop()
    servers = []
    for sock in sockets:
        servers.append(await loop.create_server(protocol, sock=sock, backlog=ACCEPTED_AT_ONCE))
        # asyncio has listened with its backlog, which is the kernel's queue, too.
        sock.listen(BACKLOG)
    return servers

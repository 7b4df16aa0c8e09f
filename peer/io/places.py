"""Listen at places, and connect to them.

Not for what they may be: :mod:`peer.core.places`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import suppress

from peer.core.places import Place, TcpPlace, UnixPlace
from peer.errors import UsageError
from peer.io.resolve import resolve

BACKLOG = 128
"""Connections that wait in the kernel for one of ours to end."""
READ_AHEAD = 64 * 1024
"""Bytes that a program may be ahead, about: half of where asyncio pauses it."""
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def listen(place: Place) -> socket.socket:
    """Listen at a place, before there is a loop.

    Args:
        place: ours from here on; see :func:`leave`.

    Returns:
        A non-blocking socket.

    Raises:
        UsageError: it is taken, or not ours to take.
    """
    try:
        sock = _listen_unix(place) if isinstance(place, UnixPlace) else _listen_tcp(place)
    except OSError as error:
        hint = "Choose another place for --bind"
        if isinstance(place, UnixPlace):
            hint += ", or remove the file if nobody uses it"
        raise UsageError(f"{place} cannot be listened at: {why(error)}", hint) from None
    sock.setblocking(False)
    return sock


def leave(place: Place, sock: socket.socket) -> None:
    """Listen no more, and leave no unix socket behind."""
    sock.close()
    if isinstance(place, UnixPlace):
        with suppress(OSError):
            os.unlink(place.path)


async def connect(place: Place) -> Ends:
    """Connect to a place.

    Raises:
        OSError: nobody accepts there, or its name is not known.
    """
    if isinstance(place, UnixPlace):
        return await asyncio.open_unix_connection(place.path, limit=READ_AHEAD)
    failure = OSError(f"{place.host} has no address")
    for target in await resolve(place.host, place.port):
        try:
            host, port, *_ = target.address
            return await asyncio.open_connection(host, port, family=target.family, limit=READ_AHEAD)
        except OSError as error:
            failure = error
    raise failure


def why(error: OSError) -> str:
    """Return the system's words for an error; asyncio's own say less, and name addresses."""
    if error.errno is None or isinstance(error, socket.gaierror):
        return error.strerror or str(error)
    return os.strerror(error.errno)


async def close(writer: asyncio.StreamWriter, *, whole: bool) -> None:
    """Close a connection.

    Args:
        writer: of the connection.
        whole: everything arrived; else the far end gets a RST, since a FIN would tell it that.
    """
    if not whole:
        sock = writer.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _listen_unix(place: UnixPlace) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # nobody else's: what listens behind it may ask for no password
    try:
        sock.bind(place.path)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _listen_tcp(place: TcpPlace) -> socket.socket:
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label is empty, or too long
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=BACKLOG)

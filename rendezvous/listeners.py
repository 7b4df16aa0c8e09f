"""The listening sockets: made before anything else, so that a port in use is said at once."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from rendezvous.protocol.endpoints import split_host_port
from rendezvous.settings import Settings

REFLECTOR_PORTS = (8081, 8082)
RELAY_PORT = 8083
_WILDCARDS = ("0.0.0.0", "::")
_SAME_PORT_TRIES = 16


class ListenError(Exception):
    """A socket could not be bound; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Bound sockets, and what peers are told of the reflectors and the relay."""

    http: list[socket.socket]
    reflector: list[socket.socket]
    advertised: tuple[str, ...]
    """Of the reflectors."""
    relay: list[socket.socket]
    """None: there is no relay."""
    relays: tuple[str, ...]
    """What peers are told of it."""

    def close(self) -> None:
        """Close them all."""
        for sock in (*self.http, *self.reflector, *self.relay):
            sock.close()


def open_listeners(settings: Settings) -> Listeners:
    """Bind everything that the settings ask for.

    Args:
        settings: hosts, ports and reflectors; port 0 means any free one.

    Returns:
        The sockets, not listening yet.

    Raises:
        ListenError: one of them cannot be bound; the others are closed.
    """
    opened: list[socket.socket] = []
    try:
        hosts = settings.host or _every_host()
        http = _bind_all(hosts, settings.port, opened)
        reflector, advertised = _bind_wanted(settings.reflector, hosts, REFLECTOR_PORTS, opened)
        relay: list[socket.socket] = []
        relays: list[str] = []
        if not settings.relay_off:
            # Who asks for any port, as tests do, wants several servers on one host.
            port = RELAY_PORT if settings.port else 0
            relay, relays = _bind_wanted(settings.relay, hosts, (port,), opened)
    except ListenError:
        for sock in opened:
            sock.close()
        raise
    for sock in opened:
        _give_up_after(sock, settings.unread_s)
    return Listeners(
        http,
        reflector,
        settings.reflector_public or tuple(dict.fromkeys(advertised)),
        relay,
        (settings.relay_public if relay else ()) or tuple(dict.fromkeys(relays)),
    )


def _bind_wanted(
    wanted: tuple[str, ...],
    hosts: tuple[str, ...],
    ports: tuple[int, ...],
    opened: list[socket.socket],
) -> tuple[list[socket.socket], list[str]]:
    """Bind what was asked for, or these ports everywhere; say what peers are told of it."""
    sockets: list[socket.socket] = []
    advertised: list[str] = []
    for host, port in [split_host_port(text) for text in wanted]:
        (sock,) = _bind_all((host,), port, opened)
        sockets.append(sock)
        # On the rendezvous's own host its URL says where; a name that resolves inside a
        # container only must not be told.
        advertised.append(f"*:{_port(sock)}" if host in hosts else text_of(sock))
    if not wanted:
        for port in ports:
            bound = _bind_all(hosts, port, opened)
            sockets += bound
            advertised.append(f"*:{_port(bound[0])}")
    return sockets, advertised


def text_of(sock: socket.socket) -> str:
    """Return where a socket is bound, as HOST:PORT or [IPv6]:PORT."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _port(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def _every_host() -> tuple[str, ...]:
    try:
        probe = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    except OSError:
        return _WILDCARDS[:1]
    with probe:
        try:
            probe.bind(("::", 0))
        except OSError:
            return _WILDCARDS[:1]
    return _WILDCARDS


def _bind_all(
    hosts: tuple[str, ...], port: int, opened: list[socket.socket]
) -> list[socket.socket]:
    """Bind one port on every host: with port 0 the same one everywhere."""
    for last in [False] * (_SAME_PORT_TRIES - 1) + [True]:
        sockets: list[socket.socket] = []
        try:
            for host in hosts:
                sockets.append(_bind(host, port or (_port(sockets[0]) if sockets else 0)))
        except OSError as error:
            for sock in sockets:
                sock.close()
            if port == 0 and sockets and error.errno == errno.EADDRINUSE and not last:
                continue
            raise ListenError(_words(host, port, error)) from error
        break
    opened += sockets
    return sockets


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        # Not to share the port: to bind it again although old connections are in TIME_WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        # Here and not later: of two servers that start at once, SO_REUSEADDR lets both bind.
        sock.listen(1024)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _give_up_after(listener: socket.socket, seconds: int) -> None:
    """Let the kernel drop a client that takes nothing of what is sent to it for so long."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; what is accepted inherits it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)


def _words(host: str, port: int, error: OSError) -> str:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(error, socket.gaierror):
        return f"{host!r} is not an address of this machine: {error.strerror}"
    if error.errno == errno.EADDRINUSE:
        return f"{place} is in use: stop what listens there, or choose another port"
    if error.errno == errno.EACCES:
        return f"{place}: not allowed; ports below 1024 need a privilege, choose another"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine"
    return f"{place}: {os.strerror(error.errno or 0)}"

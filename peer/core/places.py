"""Places that a forward starts from or leads to, and the patterns that allow them.

Not for opening them, and not for resolving names: a pattern is held against the place as it was
named, so that a name is allowed only by a pattern with this name, and a network only allows
addresses that are written as such.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
"""The host of a place that is only a port: what listens there is not for others."""
UNIX = "unix:"


class PlaceError(ValueError):
    """The text names no place, or is no pattern; the message says what it should be."""


@dataclass(frozen=True, slots=True)
class TcpPlace:
    """A host and a TCP port."""

    host: str
    """A name or an address, in lower case, without brackets."""
    port: int
    """1 to 65535."""

    def __str__(self) -> str:
        """Return what :func:`parse_place` takes."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixPlace:
    """A unix socket."""

    path: str

    def __str__(self) -> str:
        """Return what :func:`parse_place` takes."""
        return UNIX + self.path


Place = TcpPlace | UnixPlace


@dataclass(frozen=True, slots=True)
class Pattern:
    """Places that are allowed."""

    host: str
    """A name, an address, a network with its prefix length, or ``*``."""
    port: int | None
    """None: every one."""

    def allows(self, place: TcpPlace) -> bool:
        """Say whether a place is one of them."""
        if self.port not in (None, place.port):
            return False
        return self.host in ("*", place.host) or ("/" in self.host and _within(place, self.host))


def parse_place(text: str) -> Place:
    """Parse ``HOST:PORT``, ``[IPV6]:PORT``, ``PORT`` or ``unix:PATH``.

    Raises:
        PlaceError: the text has another form.
    """
    if text.startswith(UNIX):
        if not text[len(UNIX) :] or "\0" in text:
            raise PlaceError(f"{text!r} names no path: write unix:/path/of/socket")
        return UnixPlace(text[len(UNIX) :])
    host, port = _split(text if ":" in text else f"{LOOPBACK}:{text}")
    if host == "*" or "/" in host:
        raise PlaceError(f"{text!r} is no place: write HOST:PORT, PORT or unix:PATH")
    return TcpPlace(host, _port(port, text))


def is_local(place: Place) -> bool:
    """Say whether only this host can reach what listens there."""
    if isinstance(place, UnixPlace) or place.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(place.host).is_loopback
    except ValueError:
        return False


def parse_pattern(text: str) -> Pattern:
    """Parse ``HOST:PORT``, ``NETWORK/LENGTH:PORT``, with ``*`` for any host or any port.

    Raises:
        PlaceError: the text has another form.
    """
    host, port = _split(text)
    if "/" in host:
        try:
            host = str(ipaddress.ip_network(host))
        except ValueError as error:
            raise PlaceError(f"{text!r}: {error}") from None
    return Pattern(host, None if port == "*" else _port(port, text))


def _split(text: str) -> tuple[str, str]:
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not colon or not host or (":" in host and not bracketed) or not _printable(host):
        raise PlaceError(f"{text!r} is not HOST:PORT; an IPv6 address stands in brackets")
    return _canonical(host), port


def _printable(text: str) -> bool:
    # A partner may have sent it, and it is shown on a terminal.
    return text.isprintable() and not any(char.isspace() for char in text)


def _canonical(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()


def _port(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        raise PlaceError(f"{whole!r}: {text!r} is not a port from 1 to 65535")
    return int(text)


def _within(place: TcpPlace, network: str) -> bool:
    try:
        return ipaddress.ip_address(place.host) in ipaddress.ip_network(network)
    except ValueError:
        return False

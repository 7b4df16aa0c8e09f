"""Transport addresses as text: ``192.0.2.1:8080`` and ``[2001:db8::1]:8080``.

An endpoint is an IP address and a TCP port (RFC 8445's transport address
without the protocol, which is always TCP here).  Names are never endpoints:
whoever has a name resolves it first.
"""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass
from typing import Literal

Family = Literal[4, 6]

_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
        "100.64.0.0/10",  # RFC 6598: between a provider's NAT and its customers
        "169.254.0.0/16",  # RFC 3927
        "fc00::/7",  # RFC 4193
        "fe80::/10",  # RFC 4291 §2.5.6
    )
)
"""Not the standard library's ``is_private``, which counts documentation ranges too."""
_UNUSABLE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # RFC 791: this network; Linux takes 0.0.0.0 as the host itself
        "169.254.0.0/16",  # RFC 3927: never leaves the link; cloud machines keep secrets there
        "224.0.0.0/4",  # RFC 5771: multicast
        "240.0.0.0/4",  # RFC 1112 §4: reserved; 255.255.255.255 (RFC 919) is in it
        "::/96",  # RFC 4291 §2.5.5.1: IPv4-compatible, and the unspecified address
        "::ffff:0:0/96",  # RFC 4291 §2.5.5.2: IPv4-mapped, an IPv4 address in disguise
        "64:ff9b::/96",  # RFC 6052: leads to any IPv4 address, private ones included
        "fe80::/10",  # RFC 4291 §2.5.6: means nothing without a zone, which endpoints have not
        "ff00::/8",  # RFC 4291 §2.7: multicast
    )
)


_REMEMBERED = 4096
"""A pairing asks some hundred times about a dozen endpoints; more than a few hundred pairings are
hardly under way at one time."""


class EndpointError(ValueError):
    """The text is not an endpoint; the message says which part is wrong."""


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """An IP address in its canonical form and a TCP port."""

    address: str
    """Canonical text of the address, without brackets and without a zone."""
    port: int
    """1 to 65535."""

    @property
    def family(self) -> Family:
        """4 or 6."""
        return 6 if ":" in self.address else 4

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """The address as a value that can be asked what kind it is."""
        return ipaddress.ip_address(self.address)

    def __str__(self) -> str:
        """Return the wire form."""
        host = f"[{self.address}]" if self.family == 6 else self.address
        return f"{host}:{self.port}"

    @classmethod
    def of(cls, address: str, port: int) -> Endpoint:
        """Build an endpoint from what the socket module returns.

        An IPv4-mapped IPv6 address becomes the IPv4 address that it means,
        and a zone (``%eth0``) is dropped.

        Args:
            address: an IP address as text.
            port: 1 to 65535.

        Returns:
            The endpoint in canonical form.

        Raises:
            EndpointError: the address or the port is not one.
        """
        canonical = _canonical(address)
        if not 1 <= port <= 65535:
            raise EndpointError(f"port {port} is not between 1 and 65535")
        return cls(canonical, port)

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Parse the wire form.

        Args:
            text: ``ADDRESS:PORT``, an IPv6 address in brackets.

        Returns:
            The endpoint in canonical form.

        Raises:
            EndpointError: the text has another form.
        """
        return _parse(text)


@functools.lru_cache(_REMEMBERED)
def _canonical(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        raise EndpointError(f"{address!r} is not an IP address") from None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ip)


@functools.lru_cache(_REMEMBERED)
def _parse(text: str) -> Endpoint:
    host, colon, port = text.rpartition(":")
    # isascii: str.isdigit also holds for digits of other scripts.
    if not colon or not (port.isascii() and port.isdigit()) or len(port) > 5:
        raise EndpointError(f"{text!r} is not ADDRESS:PORT")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise EndpointError(f"{text!r}: only an IPv6 address stands in brackets")
    elif ":" in host:
        raise EndpointError(f"{text!r}: an IPv6 address must stand in brackets")
    return Endpoint.of(host, int(port))


def split_host_port(text: str, default_port: int | None = None) -> tuple[str, int]:
    """Split ``HOST[:PORT]`` where HOST may be a name, an address or ``[IPv6]``.

    Args:
        text: the user's text.
        default_port: taken when the text has none; None: a port is required.

    Returns:
        Host without brackets, and port (0 to 65535; 0 means *choose one*).

    Raises:
        EndpointError: there is no host, no port where one is needed, or the
            port is not a number up to 65535.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise EndpointError(f"{text!r} is not [IPv6]:PORT")
        port_text = rest[1:]
    elif text.count(":") > 1:  # a bare IPv6 address
        host, port_text = text, ""
    else:
        host, _, port_text = text.partition(":")
    if not host:
        raise EndpointError(f"{text!r} names no host")
    if not port_text:
        if default_port is None:
            raise EndpointError(f"{text!r} names no port")
        return host, default_port
    if not (port_text.isascii() and port_text.isdigit()) or int(port_text) > 65535:
        raise EndpointError(f"{port_text!r} is not a port")
    return host, int(port_text)


@functools.lru_cache(_REMEMBERED)
def is_private(address: str) -> bool:
    """Tell whether an address means something only inside one network.

    Args:
        address: an IP address as text, with or without a zone.

    Returns:
        True for RFC 1918, RFC 6598, RFC 4193 and link-local addresses; False for
        loopback and for the documentation ranges.
    """
    return _is_in(address, _PRIVATE)


@functools.lru_cache(_REMEMBERED)
def is_unusable(address: str) -> bool:
    """Tell whether an address is nobody's whom a peer may fire at, whoever names it.

    Args:
        address: an IP address as text, with or without a zone.

    Returns:
        True for unspecified, multicast, broadcast, reserved and link-local addresses,
        and for IPv6 addresses that stand for an IPv4 one.  False for loopback,
        which two peers on one host use.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    return not ip.is_loopback and _is_in(address, _UNUSABLE)


def _is_in(
    address: str, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    return any(ip in network for network in networks)

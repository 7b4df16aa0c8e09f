"""Which endpoints a peer agrees to fire at, whatever the rendezvous says.

A rendezvous that lies must not turn its peers into a SYN cannon.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from rendezvous.protocol.endpoints import Endpoint

LOWEST_PORT = 1024
"""Below live services that never fire back; a peer's own ports are above."""


def refusal(
    target: Endpoint,
    own_networks: Sequence[IPv4Network | IPv6Network],
    *,
    on_one_host: bool,
) -> str | None:
    """Say why a target is not fired at.

    Args:
        target: the remote endpoint of an appointed pair.
        own_networks: the networks this host is directly on.
        on_one_host: the rendezvous itself is on loopback: everything happens on this host.

    Returns:
        The reason in words, or None when the target is acceptable.
    """
    ip = target.ip
    if target.port < LOWEST_PORT:
        return f"port {target.port} is below {LOWEST_PORT}"
    if ip.is_multicast or any(ip in net for net in _NOBODY if net.version == ip.version):
        return f"{ip} is no host's address"
    if ip.is_loopback:
        return None if on_one_host else f"{ip} is this host itself"
    if is_private(target) and not any(
        ip in network for network in own_networks if network.version == ip.version
    ):
        return f"{ip} is private and not in a network of this host"
    return None


_NOBODY: tuple[IPv4Network | IPv6Network, ...] = (
    *(IPv4Network(net) for net in ("0.0.0.0/8", "240.0.0.0/4")),
    *(IPv6Network(net) for net in ("::/128", "::ffff:0:0/96", "64:ff9b::/96")),
)
"""RFC 1122 §3.2.1.3, RFC 1112 §4, RFC 4291 §2.5; a NAT64 (RFC 6052) would reach IPv4 behind it."""
_PRIVATE: tuple[IPv4Network | IPv6Network, ...] = (
    *(IPv4Network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")),
    IPv4Network("100.64.0.0/10"),
    *(IPv6Network(n) for n in ("fc00::/7", "fe80::/10")),
)
"""RFC 1918, RFC 3927, RFC 6598, RFC 4193, RFC 4291. Not ``is_private``, which counts documentation
ranges too: those are the lab's internet."""


def is_private(target: Endpoint) -> bool:
    """Say whether an endpoint has a private address.

    Args:
        target: any endpoint.

    Returns:
        True for RFC 1918, RFC 4193 and link-local addresses.
    """
    ip = target.ip
    return any(ip in network for network in _PRIVATE if network.version == ip.version)

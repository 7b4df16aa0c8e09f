"""Which endpoints a peer agrees to fire at, whatever the rendezvous says.

A rendezvous that lies must not turn its peers into a SYN cannon.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import IPv4Network, IPv6Network

from rendezvous.protocol.endpoints import Endpoint, is_private, is_unusable

LOWEST_PORT = 1024
"""Below live services that never fire back; a peer's own ports are above."""


def refusal(
    target: Endpoint,
    own_networks: Sequence[IPv4Network | IPv6Network],
    *,
    on_one_host: bool,
    own: Collection[Endpoint] = (),
) -> str | None:
    """Say why a target is not fired at.

    Args:
        target: the remote endpoint of an appointed pair.
        own_networks: the networks this host is directly on.
        on_one_host: the rendezvous itself is on loopback: everything happens on this host.
        own: this peer's endpoints, as it knows them and as it is seen from outside.

    Returns:
        The reason in words, or None when the target is acceptable.
    """
    ip = target.ip
    if target in own:
        return "that is this peer itself"
    if target.port < LOWEST_PORT:
        return f"port {target.port} is below {LOWEST_PORT}"
    if is_unusable(target.address):
        return f"{ip} is no host's address"
    if ip.is_loopback:
        return None if on_one_host else f"{ip} is this host itself"
    if is_private(target.address) and not any(
        ip in network for network in own_networks if network.version == ip.version
    ):
        return f"{ip} is private and not in a network of this host"
    return None

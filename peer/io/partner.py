"""Where the partner is, as its name says: the addresses that this host has a way to."""

from __future__ import annotations

from peer.errors import NoPathError, UsageError
from peer.io.hosts import source_address
from peer.io.resolve import resolve
from rendezvous.protocol.endpoints import Endpoint, Family, is_unusable
from rendezvous.protocol.messages import Reason

_ANY_PORT = 1


async def find_partner(host: str, *, same_ports: bool) -> dict[Family, str]:
    """Look the partner's addresses up.

    Args:
        host: a name, an address, or ``[IPv6]``.
        same_ports: local and remote port are the same number: then this host itself cannot be
            the partner.

    Returns:
        At most one address of each family, at least one in all.

    Raises:
        UsageError: an address that is nobody's, or this host's own.
        NoPathError: there is no such name, or no way to any of its addresses.
    """
    try:
        targets = await resolve(host.removeprefix("[").removesuffix("]"), _ANY_PORT)
    except OSError as error:
        raise NoPathError(
            Reason.UNREACHABLE,
            f"no path: {host!r} has no address ({error.strerror})",
            "Check the name and this host's DNS, or give the address itself",
        ) from None
    found: dict[Family, str] = {}
    for target in targets:
        endpoint = Endpoint.of(str(target.address[0]), _ANY_PORT)
        if is_unusable(endpoint.address):
            raise UsageError(f"{endpoint.address} is no host's address", "Give your partner's")
        source = source_address(endpoint)
        if source == endpoint.address and same_ports:
            raise UsageError(
                f"{host} is this host itself", "Give your partner's public address, and it yours"
            )
        if source is not None:
            found.setdefault(endpoint.family, endpoint.address)
    if not found:
        raise NoPathError(
            Reason.UNREACHABLE,
            f"no path: this host has no route to {host}",
            "Connect this host to a network that has one; IPv6 needs IPv6 on both sides",
        )
    return found

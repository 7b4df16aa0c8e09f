"""Who asks: the seat that a request claims, and the address that it comes from."""

from __future__ import annotations

from fastapi import Request

from rendezvous.allowance import client_key
from rendezvous.problems import require_version
from rendezvous.protocol.messages import SeatedRequest
from rendezvous.session import secret_digest
from rendezvous.settings import Settings
from rendezvous.store import Credentials


def credentials(
    nameplate: str, message: SeatedRequest, request: Request, settings: Settings
) -> Credentials:
    """Read who asks.

    Args:
        nameplate: from the path.
        message: has the rest of the seat.
        request: tells the address.
        settings: whose word for the address counts.

    Returns:
        The seat as the client claims it.

    Raises:
        Refused: ``version``.
    """
    require_version(message.version)
    client = client_of(request, settings)
    return Credentials(
        nameplate,
        message.session,
        message.seat,
        secret_digest(message.secret),
        client,
        message.pake,
        message.relay,
    )


def client_of(request: Request, settings: Settings) -> str:
    """Return what limits are counted by.

    Args:
        request: any.
        settings: has the proxies that are trusted.

    Returns:
        The client's network, as text.
    """
    address = request.client.host if request.client else ""
    if not settings.trusted_proxies:
        return client_key(address)
    hops = [h.strip() for h in request.headers.get("x-forwarded-for", "").split(",")]
    # From the right: each trusted proxy has appended who spoke to it; further left anybody
    # may have written anything.
    while hops and hops[-1] and settings.trusts(address):
        address = hops.pop()
    return client_key(address)

"""A store and those who ask it, for its tests.  No clock, no network."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from rendezvous.memory import MemoryStore
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import RelayPolicy, Report, Seat
from rendezvous.refusal import Refused
from rendezvous.session import secret_digest
from rendezvous.store import Credentials, Limits, Place
from rendezvous.tokens import Tokens
from tests.fakes.server import NOW_US, SECRET_A, SECRET_B, report, srflx

CLIENT = "198.51.100.2"
S = 1_000_000
PAKE_A, PAKE_B, PAKE_C = ("53" + digit * 64 for digit in "abc")
tokens = Tokens(b"k" * 32)


def store(**limits: Any) -> MemoryStore:
    """Make an empty store."""
    return MemoryStore(tokens, Limits(**limits))


def who(
    place: Place,
    seat: Seat,
    secret: str | None = None,
    *,
    pake: str | None = None,
    relay: RelayPolicy | None = None,
) -> Credentials:
    """Ask for a seat, with its own secret if there is no other."""
    secret = secret or (SECRET_A if seat == "a" else SECRET_B)
    digest = secret_digest(secret)
    return Credentials(place.nameplate, place.session, seat, digest, CLIENT, pake, relay)


async def pair(in_store: MemoryStore) -> Place:
    """Take both seats of a new session."""
    place = await in_store.open(SECRET_A, CLIENT, NOW_US)
    await in_store.join(place.nameplate, SECRET_B, CLIENT, NOW_US)
    return place


def proven(place: Place, endpoint: str) -> Report:
    """Make a report with one candidate, and the reflector's proof of it."""
    token = tokens.mint(Endpoint.parse(endpoint), place.session, NOW_US)
    return report(srflx(endpoint, token=token))


async def refusal(awaitable: Awaitable[object]) -> Refused:
    """Return what a call is refused with."""
    with pytest.raises(Refused) as refused:
        await awaitable
    return refused.value

"""A partner that only takes a seat and agrees the key, and says what it likes."""

from __future__ import annotations

import secrets

from peer.core.code import Code
from peer.io.clock import SystemClock
from peer.io.keying import Keying
from peer.io.signaling import Signaling


def seat(url: str) -> Signaling:
    """Return a seat that is not taken yet; close it after use."""
    return Signaling(url, SystemClock(), secrets.token_hex(32))


async def seat_of(url: str, code: str) -> Signaling:
    """Take the second seat, as who has the code does."""
    made, known = seat(url), Code.parse(code)
    made.pake = Keying(known).message
    await made.join(known.nameplate)
    return made

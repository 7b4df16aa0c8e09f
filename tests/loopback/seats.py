"""A partner that only takes a seat, and says what it likes."""

from __future__ import annotations

import secrets

from peer.io.clock import SystemClock
from peer.io.signaling import Signaling


def seat(url: str) -> Signaling:
    """Return a seat that is not taken yet; close it after use."""
    return Signaling(url, SystemClock(), secrets.token_hex(32))

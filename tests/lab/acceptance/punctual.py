"""Whether a session says anything about crossing: a busy machine fires late, and tells."""

from __future__ import annotations

from lab.bench.sections import DELAY_MS
from lab.scenario import SessionRun

LATEST_US = DELAY_MS * 1000 / 3
"""Both peers within this of their instant, and clocks 2 ms apart: within the one-way delay."""


def was_punctual(session: SessionRun) -> bool:
    """Tell whether both peers' first shots left near the instant, by their own account.

    Args:
        session: one that connected.

    Returns:
        True if so; then the two first SYNs must have crossed.
    """
    shots = [event for peer in session.peers.values() for event in peer.events]
    errors = [event["fire_error_us"] for event in shots if event["event"] == "shot"]
    return bool(errors) and max(errors) < LATEST_US

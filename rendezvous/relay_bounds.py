"""What the relay carries at most, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """The operator's limits."""

    connections: int
    """In all."""
    pairs: int
    """At one time; those who wait for a partner count."""
    per_client: int
    """Connections of one client address."""
    header_s: float
    """For the whole header."""
    wait_s: float
    """For the second peer to come."""
    idle_s: float
    """Without an octet in either direction."""
    octets: int | None = None
    """Of a pair, both directions together; None: any number."""
    octets_per_s: int | None = None
    """The same in a second."""

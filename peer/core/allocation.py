"""How a NAT chooses public ports: kept, in steps, or at random.

From the answers of reflectors only, so a guess where they are few; good enough to tell a person
what kind of NAT it is.

Reference: RFC 4787 §4.2 (port preservation).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from peer.core.mapping import Observation

FEWEST_FLOWS = 4
"""Fewer ports show no pattern."""
WIDEST_STEP = 16
"""Neighbouring ports further apart than this, half of the time, are not counted up."""


class Allocation(StrEnum):
    """How the public port of a flow comes about."""

    PRESERVED = "preserved"
    """The local one."""
    PARTLY = "partly"
    """The local one where it was free."""
    SEQUENTIAL = "sequential"
    """The next one, or some step further."""
    RANDOM = "random"
    """Any."""
    UNKNOWN = "unknown"
    """Too few were seen."""


class Ports(NamedTuple):
    """What the public ports show."""

    allocation: Allocation
    step: int | None
    """From one flow to the next, of SEQUENTIAL; how often other flows come between is not known."""


def allocation(observations: Iterable[Observation]) -> Ports:
    """Name the allocation that the observations of one family show.

    Args:
        observations: answers of reflectors, any order; at least some from unlike local ports.

    Returns:
        The kind, and the step where it counts.
    """
    seen = list(observations)
    kept = sum(each.mapped.port == each.local.port for each in seen)
    if seen and kept == len(seen):
        return Ports(Allocation.PRESERVED, None)
    ports = sorted({each.mapped.port for each in seen})
    if len(ports) < FEWEST_FLOWS:
        return Ports(Allocation.UNKNOWN, None)
    if 2 * kept > len(seen):
        return Ports(Allocation.PARTLY, None)
    steps = Counter(after - before for before, after in pairwise(ports))
    step, often = min(steps.most_common(), key=lambda found: (-found[1], found[0]))
    if step <= WIDEST_STEP and 2 * often >= len(ports) - 1:
        return Ports(Allocation.SEQUENTIAL, step)
    return Ports(Allocation.RANDOM, None)

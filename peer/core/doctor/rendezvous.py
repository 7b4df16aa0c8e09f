"""Does the rendezvous answer?"""

from __future__ import annotations

from dataclasses import dataclass

from peer.core.doctor.check import Check, Status
from peer.core.units import duration

UNREACHABLE = 3
"""The exit code of a peer that cannot use its rendezvous."""


@dataclass(frozen=True, slots=True)
class RendezvousSeen:
    """What came of asking it."""

    url: str | None = None
    """None: none was named."""
    trouble: str | None = None
    """Why it cannot be used; None: it can."""
    rtt_us: int | None = None
    reflectors: int = 0
    """How many it names."""


def judge_rendezvous(seen: RendezvousSeen) -> Check:
    """Say whether `listen` and `connect` can use the rendezvous.

    Args:
        seen: what came of asking it.

    Returns:
        The check.
    """
    facts: dict[str, object] = {
        "url": seen.url,
        "rtt_us": seen.rtt_us,
        "reflectors": seen.reflectors,
    }
    if seen.url is None:
        none = "none was named (--rendezvous URL); `midair meet` needs none"
        return Check("rendezvous", Status.UNKNOWN, (none,), facts)
    if seen.trouble is not None or seen.rtt_us is None:
        trouble = seen.trouble or "it did not answer"
        return Check("rendezvous", Status.BROKEN, (trouble,), facts, UNREACHABLE)
    line = f"{seen.url} answers, round trip {duration(seen.rtt_us)}"
    return Check("rendezvous", Status.OK, (line,), facts)

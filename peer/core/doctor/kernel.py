"""Does this host's kernel do what a volley needs, and does it leave the ports alone?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from peer.core.doctor.check import Check, Status, worst
from peer.core.meeting import FIRST_PORT, LAST_PORT

FULL_PERCENT = 90
"""A connection tracker fuller than this may soon drop new flows."""
NO_SIMULTANEOUS_OPEN = 1
PORT_IN_USE = 2
_TIMEOUTS = {"syn_sent": "SYN", "close_wait": "half-closed", "established": "silent"}


@dataclass(frozen=True, slots=True)
class KernelSeen:
    """What was tried and read."""

    refused: str | None
    """Why a simultaneous open did not work; None: it did."""
    ephemeral: tuple[int, int]
    """First and last port that the kernel hands out by itself."""
    local_ports: tuple[int, int] | None = None
    """First and last of the user's ports."""
    busy: tuple[int, ...] = ()
    """Those of them that somebody has."""
    conntrack: Mapping[str, int] = field(default_factory=dict)
    """``count``, ``max`` and timeouts in seconds; empty: not readable, or there is none."""


def judge_kernel(seen: KernelSeen) -> Check:
    """Say whether the kernel serves.

    Args:
        seen: what was tried and read.

    Returns:
        The check.
    """
    opens, lines = Status.OK, ["simultaneous open works: a socket met itself on loopback"]
    if seen.refused is not None:
        opens = Status.BROKEN
        lines = [f"simultaneous open does not work here: {seen.refused}"]
    ports, said = _ports(seen)
    tracker, more = _tracker(seen.conntrack)
    status = worst(opens, ports, tracker)
    code = NO_SIMULTANEOUS_OPEN if opens is Status.BROKEN else PORT_IN_USE
    facts: dict[str, object] = {
        "simultaneous_open": seen.refused is None,
        "ephemeral_ports": list(seen.ephemeral),
        "local_ports": None if seen.local_ports is None else list(seen.local_ports),
        "busy_ports": list(seen.busy),
        "conntrack": dict(seen.conntrack) or None,
    }
    code = code if status is Status.BROKEN else 0
    return Check("kernel", status, (*lines, *said, *more), facts, code)


def _ports(seen: KernelSeen) -> tuple[Status, list[str]]:
    first, last = seen.ephemeral
    handed_out = f"it hands out ports {first} to {last}"
    if seen.busy:
        busy = ", ".join(map(str, seen.busy))
        return Status.BROKEN, [f"local port {busy} is in use: see ss -tanp", handed_out]
    if seen.local_ports is not None and _overlap(seen.local_ports, seen.ephemeral):
        return Status.WARNING, [f"{handed_out}: yours are among them, and may be taken"]
    if _overlap((FIRST_PORT, LAST_PORT), seen.ephemeral):
        return Status.WARNING, [
            f"{handed_out}: those of `midair meet` are among them, and may be taken"
        ]
    return Status.OK, [f"{handed_out}; midair takes others"]


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _tracker(conntrack: Mapping[str, int]) -> tuple[Status, list[str]]:
    if "count" not in conntrack or not conntrack.get("max"):
        return Status.OK, []
    count, most = conntrack["count"], conntrack["max"]
    full = count * 100 >= most * FULL_PERCENT
    line = f"it tracks connections: {count} of at most {most}"
    lines = [f"{line}; new ones may be dropped" if full else line]
    forgets = [
        f"{what} {_span(conntrack[name])}" for name, what in _TIMEOUTS.items() if name in conntrack
    ]
    if forgets:
        lines.append(f"forgets after: {', '.join(forgets)}")
    return Status.WARNING if full else Status.OK, lines


def _span(seconds: int) -> str:
    for unit, name in ((86_400, "days"), (3_600, "hours")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"

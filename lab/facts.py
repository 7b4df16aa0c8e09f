"""What sessions show: one flat row of facts a session, and a summary of many. Pure.

From three sources that cannot agree by accident: what both peers say, what the captures saw by the
kernel's true clock, and how wrong the lab had made each clock.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.diagram import build, crossing
from lab.options import LabOptions
from lab.topology import SIDES, Side

if TYPE_CHECKING:
    from lab.scenario import SessionRun
    from lab.seat import PeerRun

MEASURES = (
    "since_report_ms",
    "elapsed_ms",
    "after_later_ms",
    "skew_ms",
    "clock_difference_ms",
    "shots",
)
"""What is summarised over many sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One session. None: not known, as a rule because it failed."""

    connected: bool
    exit_codes: tuple[int, int]
    """Of peers a and b."""
    verdict: str | None
    """Of the first peer that failed."""
    first_shot: bool | None
    """As both peers say."""
    crossed: bool
    """The captures show two bare SYNs that crossed, no listener, and both hosts established."""
    attempts: int
    timescale: str | None
    since_report_ms: float | None
    """From the second report to connected and proven; the slower peer's."""
    elapsed_ms: float | None
    """From the end of imports to connected; the second peer's, who waits for nobody."""
    after_later_ms: float | None
    """Captures: from the later first SYN to both ESTABLISHED."""
    skew_ms: float | None
    """Captures: how far apart the two first SYNs left; never negative."""
    shots: int | None
    """Both peers' SYNs, over all pairs and attempts that they counted."""
    refusals: int | None
    clock_difference_ms: float | None
    """How far apart the peers' corrected clocks are in truth; never negative."""
    within_bounds: bool | None
    """Each corrected clock is as near to the appointment's timescale as its bound says."""


def facts(run: SessionRun, options: LabOptions) -> Facts:
    """Read one session.

    Args:
        run: the session.
        options: the lab it was in: how wrong the clocks are.
    """
    peers = [run.peers[side] for side in SIDES]
    connected = [peer.event("connected") for peer in peers]
    both = [event for event in connected if event is not None]
    since = [event["since_report_ms"] for event in both]
    told = both if len(both) == 2 else []
    model = build(run.packets["a"], run.packets["b"], origin_ns=0)
    seen = crossing(model)
    failed = [event for peer in peers if (event := peer.event("failed")) is not None]
    errors = _clock_errors_us(run, options)
    return Facts(
        connected=run.connected,
        exit_codes=(peers[0].exit_code, peers[1].exit_code),
        verdict=failed[0]["verdict"] if failed else None,
        first_shot=all(event["first_shot"] for event in told) if told else None,
        crossed=seen.simultaneous,
        attempts=max((_attempts(peer) for peer in peers), default=0),
        timescale=told[0]["timescale"] if told else None,
        # A meeting has no reports.
        since_report_ms=max(since) if told and None not in since else None,
        elapsed_ms=told[1]["elapsed_ms"] if told else None,
        after_later_ms=_ms(seen.open_ns),
        skew_ms=None if seen.skew_ns is None else abs(seen.skew_ns) / 1e6,
        shots=sum(event["shots"] for event in told) if told else None,
        refusals=sum(event["refusals"] for event in told) if told else None,
        clock_difference_ms=abs(errors["a"] - errors["b"]) / 1000 if len(errors) == 2 else None,
        within_bounds=_within_bounds(run, errors),
    )


def _ms(ns: int | None) -> float | None:
    return None if ns is None else ns / 1e6


def _attempts(peer: PeerRun) -> int:
    return sum(event["event"] == "appointment" for event in peer.events)


def _clock_errors_us(run: SessionRun, options: LabOptions) -> dict[Side, float]:
    """Say how far each peer's corrected clock is from its timescale: error plus offset."""
    errors: dict[Side, float] = {}
    for side in SIDES:
        event = run.peers[side].event("appointment")
        if event is not None:
            by_rendezvous = event["timescale"] == "rendezvous"
            scale_s = options.rendezvous_clock_s if by_rendezvous else 0.0
            errors[side] = (options.clock_s(side) - scale_s) * 1e6 + event["offset_us"]
    return errors


def _within_bounds(run: SessionRun, errors: dict[Side, float]) -> bool | None:
    events = {side: run.peers[side].event("appointment") for side in SIDES}
    bounds = {side: event["bound_us"] for side, event in events.items() if event is not None}
    if len(bounds) < len(SIDES):
        return None
    return all(abs(errors[side]) <= bound for side, bound in bounds.items())


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def summarise(rows: Sequence[Facts]) -> dict[str, Any]:
    """Summarise sessions: counts, and minimum, median, 95th percentile and maximum of each measure.

    Returns:
        ``sessions``, ``connected``, ``first_shot``, ``crossed``, ``outside_bounds``, ``verdicts``,
        and for each of :data:`MEASURES` a dictionary, or None where nothing was measured.
    """
    summary: dict[str, Any] = {
        "sessions": len(rows),
        "connected": sum(row.connected for row in rows),
        "first_shot": sum(bool(row.first_shot) for row in rows),
        "crossed": sum(row.crossed for row in rows),
        "outside_bounds": sum(row.within_bounds is False for row in rows),
        "verdicts": {
            verdict: sum(row.verdict == verdict for row in rows)
            for verdict in sorted({row.verdict for row in rows if row.verdict})
        },
    }
    for name in MEASURES:
        values = [value for row in rows if (value := getattr(row, name)) is not None]
        summary[name] = spread(values) if values else None
    return summary


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return minimum, median, 95th percentile (nearest rank) and maximum, to 1 µs."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "p95": round(nearest_rank(values, 95), 3),
        "max": round(max(values), 3),
    }

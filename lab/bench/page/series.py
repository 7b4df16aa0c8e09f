"""What the pictures show, taken out of a report's sessions. Pure.

A session is what :class:`lab.bench.report.Report` keeps of each: section, conditions, facts.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.facts import nearest_rank

Session = Mapping[str, Any]
MIDDLE_PERCENT = (5, 95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One session that connected."""

    skew_ms: float
    """How far apart the first SYNs truly were."""
    both_open_ms: float
    """From the later first SYN to both peers open."""
    first_shot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """All sessions under the same conditions."""

    at_ms: float
    """The skew that was asked for, or the delay one way."""
    runs: int
    connected: int
    first_shot: int
    samples: tuple[Sample, ...]
    later_open_ms: tuple[float, ...]
    """From the later peer's first SYN to its own open; of sessions that connected."""
    since_report_ms: tuple[float, ...]
    """From the second report to connected and proven."""

    @property
    def both_open_ms(self) -> tuple[float, ...]:
        """The samples' times."""
        return tuple(sample.both_open_ms for sample in self.samples)


def spread(values: Iterable[float]) -> tuple[float, float, float] | None:
    """Return the 5th percentile, the median and the 95th percentile; None of nothing."""
    known = sorted(values)
    if not known:
        return None
    low, high = MIDDLE_PERCENT
    return nearest_rank(known, low), statistics.median(known), nearest_rank(known, high)


def by_skew(sessions: Iterable[Session], answer: str) -> list[Cell]:
    """Collect the sessions of section ``refire`` with routers of one kind, by their skew."""
    chosen = [
        session
        for session in sessions
        if session["section"] == "refire" and session["conditions"].get("answer") == answer
    ]
    return _cells(chosen, "skew_ms")


def by_delay(sessions: Iterable[Session], loss_percent: float) -> list[Cell]:
    """Collect the sessions of section ``grid`` with so much loss, by their delay."""
    chosen = [
        session
        for session in sessions
        if session["section"] == "grid" and session["conditions"]["loss_percent"] == loss_percent
    ]
    return _cells(chosen, "delay_ms")


def losses(sessions: Iterable[Session]) -> list[float]:
    """List the losses that section ``grid`` was run with, in percent."""
    found = {s["conditions"]["loss_percent"] for s in sessions if s["section"] == "grid"}
    return sorted(found)


def _cells(sessions: list[Session], name: str) -> list[Cell]:
    groups: dict[float, list[Session]] = {}
    for session in sessions:
        groups.setdefault(session["conditions"][name], []).append(session)
    return [_cell(at_ms, groups[at_ms]) for at_ms in sorted(groups)]


def _cell(at_ms: float, group: list[Session]) -> Cell:
    rows = [session["facts"] for session in group]
    connected = [row for row in rows if row["connected"]]
    return Cell(
        at_ms=at_ms,
        runs=len(rows),
        connected=len(connected),
        first_shot=sum(bool(row["first_shot"]) for row in connected),
        samples=tuple(
            Sample(
                skew_ms=row["skew_ms"],
                both_open_ms=row["after_later_ms"],
                first_shot=bool(row["first_shot"]),
            )
            for row in connected
            if row["skew_ms"] is not None and row["after_later_ms"] is not None
        ),
        later_open_ms=_known(connected, "later_open_ms"),
        since_report_ms=_known(connected, "since_report_ms"),
    )


def _known(rows: list[Mapping[str, Any]], name: str) -> tuple[float, ...]:
    return tuple(row[name] for row in rows if row[name] is not None)

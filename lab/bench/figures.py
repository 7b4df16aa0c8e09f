"""Figures as values: what was measured, what was wanted, whether it holds. Pure.

Counts (``49 of 50``) and spreads (minimum, median, percentiles) have one shape, so that one
table and one JSON list hold them all.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from lab.facts import nearest_rank

Statistic = Literal["median", "p95", "p99", "max"]

_STATISTICS: dict[Statistic, Callable[[Sequence[float]], float]] = {
    "median": statistics.median,
    "p95": lambda values: nearest_rank(values, 95),
    "p99": lambda values: nearest_rank(values, 99),
    "max": max,
}
_UNWANTED = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table."""

    section: str
    what: str
    runs: int
    """How many sessions, or starts of a program, it comes from."""
    count: int | None = None
    """Of a count: in how many of the runs it was so."""
    unit: str = ""
    min: float | None = None
    median: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None
    wanted: str = _UNWANTED
    """In words; a dash where nothing is wanted of it."""
    holds: bool = True

    @property
    def is_wanted(self) -> bool:
        """Tell whether anything is wanted of it."""
        return self.wanted != _UNWANTED


def counted(section: str, what: str, hits: Sequence[bool], *, at_least: int | None) -> Figure:
    """Make the figure of something that is so or not in each run.

    Args:
        section: of the benchmark.
        what: is counted.
        hits: one for each run.
        at_least: how often it is wanted to be so; None: nothing is wanted.
    """
    count, runs = sum(hits), len(hits)
    if at_least is None:
        return Figure(section=section, what=what, runs=runs, count=count)
    wanted = f"{runs}" if at_least >= runs else f"≥ {at_least}"
    return Figure(
        section=section,
        what=what,
        runs=runs,
        count=count,
        wanted=f"{wanted} of {runs}",
        holds=runs > 0 and count >= at_least,
    )


def spread(
    section: str,
    what: str,
    values: Sequence[float | None],
    *,
    unit: str = "ms",
    statistic: Statistic = "max",
    at_most: float | None = None,
    at_least: float | None = None,
) -> Figure:
    """Make the figure of something that is measured in each run.

    Args:
        section: of the benchmark.
        what: is measured.
        values: one for each run; None where the run did not come so far.
        unit: of the values.
        statistic: what is compared.
        at_most: what it is wanted to be; None: it may be more.
        at_least: likewise; None: it may be less. Only one of the two is given.

    Returns:
        The figure. Runs without a value are not in it: another figure counts them.
    """
    known = [value for value in values if value is not None]
    sign, limit = ("≤", at_most) if at_least is None else ("≥", at_least)
    wanted = _UNWANTED if limit is None else f"{statistic} {sign} {limit:g} {unit}".rstrip()
    if not known:
        return Figure(
            section=section, what=what, runs=0, unit=unit, wanted=wanted, holds=limit is None
        )
    measured = {name: round(of(known), 3) for name, of in _STATISTICS.items()}
    return Figure(
        section=section,
        what=what,
        runs=len(known),
        unit=unit,
        min=round(min(known), 3),
        median=measured["median"],
        p95=measured["p95"],
        p99=measured["p99"],
        max=measured["max"],
        wanted=wanted,
        holds=(at_most is None or measured[statistic] <= at_most)
        and (at_least is None or measured[statistic] >= at_least),
    )

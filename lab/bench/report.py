"""What the benchmark says at its end: one table for people, one JSON object for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.bench.figures import Figure

_MARKS = {True: "[green]✓[/]", False: "[bold red]✗[/]"}


@dataclass(slots=True)
class Report:
    """Everything that was measured."""

    date: str
    """ISO 8601, UTC."""
    load: list[float] = field(default_factory=list)
    """The host's load average of a minute, before each part and at the end."""
    machines: list[dict[str, Any]] = field(default_factory=list)
    """The host, and the guest if there was one."""
    figures: list[Figure] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    """One for each session: section, what, number, facts, and the events of those that failed."""
    broken: list[str] = field(default_factory=list)
    """Sections that did not come to their end."""

    @property
    def holds(self) -> bool:
        """Tell whether every figure is as wanted and every section came to its end."""
        return not self.broken and all(figure.holds for figure in self.figures)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {
            "date": self.date,
            "holds": self.holds,
            "load": self.load,
            "machines": self.machines,
            "figures": [figure.to_json() for figure in self.figures],
            "broken": self.broken,
            "sessions": self.sessions,
        }

    def print(self, console: Console) -> None:
        """Print the machines, the date, and the table."""
        for machine in self.machines:
            console.print(escape(machine_line(machine)))
        load = ", ".join(f"{value:.1f}" for value in self.load) or "unknown"
        console.print(f"measured {self.date}; the host's load average: {load}")
        console.print(table(self.figures))
        for what in self.broken:
            console.print(f"[bold red]not measured:[/] {escape(what)}")
        missed = [figure for figure in self.figures if not figure.holds]
        if missed:
            console.print(f"{len(missed)} of {len(self.figures)} figures are not as wanted")


def machine_line(machine: dict[str, Any]) -> str:
    """Describe a machine in a line."""
    kind = "guest" if machine["guest"] else "host"
    return (
        f"{kind}: Linux {machine['kernel']}, {machine['processors']} × {machine['cpu']}, "
        f"Python {machine['python']}"
    )


def table(figures: Sequence[Figure]) -> Table:
    """Make the table of all figures."""
    names = ("runs", "min", "median", "p95", "p99", "max")
    made = Table("", "", *names, "wanted", box=None, pad_edge=False)
    for column in made.columns[2:-1]:
        column.justify = "right"
    section = None
    for figure in figures:
        if figure.section != section:
            section = figure.section
            made.add_row("", f"[bold]{section}[/]")
        made.add_row(_MARKS[figure.holds], escape(figure.what), *cells(figure), figure.wanted)
    return made


def cells(figure: Figure) -> list[str]:
    """Return a figure's numbers as text: runs, minimum, median, percentiles, maximum."""
    if figure.count is not None:
        return [str(figure.runs), "", f"{figure.count} of {figure.runs}", "", "", ""]
    unit = f" {figure.unit}" if figure.unit else ""
    values = (figure.min, figure.median, figure.p95, figure.p99, figure.max)
    return [
        str(figure.runs),
        *("" if value is None else f"{value:.6g}{unit}" for value in values),
    ]

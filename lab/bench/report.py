"""What the benchmark knows at any moment: everything measured so far, for people and programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.bench.figures import Figure

COLUMNS = ("runs", "min", "median", "p95", "p99", "max")
"""Of the table; :func:`cells` gives what stands in them."""
_MARKS = {True: "[green]✓[/]", False: "[bold red]✗[/]"}


@dataclass(slots=True, kw_only=True)
class Measured:
    """One section that was begun: when, of which commit, and beside how much other work."""

    section: str
    date: str
    """Of its begin: ISO 8601, UTC."""
    commit: str
    load_before: float
    """The host's load average of a minute."""
    load_most: float
    """The same at its highest; the benchmark's own share is in it."""
    seconds: float | None = None
    """How long it took; None: it did not come to its end."""


@dataclass(slots=True)
class Report:
    """Everything that was measured."""

    command: str
    machines: list[dict[str, Any]] = field(default_factory=list)
    """The host, and the guest if there was one."""
    measured: list[Measured] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    """One for each session: section, what, number, facts, and the events of those that failed."""
    broken: list[str] = field(default_factory=list)
    """Sections that did not come to their end, and how they ended."""

    @property
    def holds(self) -> bool:
        """Tell whether every figure is as wanted and every section came to its end."""
        return not self.broken and all(figure.holds for figure in self.figures)

    @property
    def finished(self) -> list[str]:
        """The sections that came to their end."""
        return [one.section for one in self.measured if one.seconds is not None]

    @property
    def commits(self) -> list[str]:
        """The commits that were measured: one, unless it was resumed later."""
        return list(dict.fromkeys(one.commit for one in self.measured))

    def add_machine(self, machine: dict[str, Any]) -> None:
        """Note on which machine, or guest, something was measured."""
        if machine not in self.machines:
            self.machines.append(machine)

    def keep(self, sections: Collection[str]) -> None:
        """Forget all sections but these."""
        self.measured = [one for one in self.measured if one.section in sections]
        self.figures = [figure for figure in self.figures if figure.section in sections]
        self.sessions = [one for one in self.sessions if one["section"] in sections]

    def sort(self, order: Sequence[str]) -> None:
        """Put sections into this order, and those that are not in it last."""

        def place(section: str) -> int:
            return order.index(section) if section in order else len(order)

        self.measured.sort(key=lambda one: place(one.section))
        self.figures.sort(key=lambda figure: place(figure.section))
        self.sessions.sort(key=lambda one: place(one["section"]))

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {"holds": self.holds, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Make a report of what :meth:`to_json` returned.

        Raises:
            KeyError: it is of another version of the benchmark.
            TypeError: likewise.
        """
        return cls(
            command=fields["command"],
            machines=fields["machines"],
            measured=[Measured(**one) for one in fields["measured"]],
            figures=[Figure(**figure) for figure in fields["figures"]],
            sessions=fields["sessions"],
            broken=fields["broken"],
        )

    def print(self, console: Console) -> None:
        """Print the machines, the commit, the load, and the table."""
        for machine in self.machines:
            console.print(escape(machine_line(machine)))
        console.print(escape(f"commit {', '.join(self.commits)}; {self.command}"))
        for one in self.measured:
            console.print(escape(measured_line(one)))
        console.print(table(self.figures))
        for what in self.broken:
            console.print(f"[bold red]not measured:[/] {escape(what)}")
        console.print(self.verdict)

    @property
    def verdict(self) -> str:
        """Say in a few words how many of the wanted values are met."""
        wanted = [figure for figure in self.figures if figure.is_wanted]
        missed = sum(not figure.holds for figure in wanted)
        total = f"{len(wanted)} wanted values"
        return f"{missed} of {total} are not met" if missed else f"all {total} are met"


def machine_line(machine: dict[str, Any]) -> str:
    """Describe a machine in a line."""
    kind = "guest" if machine["guest"] else "host"
    return (
        f"{kind}: Linux {machine['kernel']}, {machine['processors']} × {machine['cpu']}, "
        f"Python {machine['python']}"
    )


def measured_line(one: Measured) -> str:
    """Say when a section was measured, how long it took, and the load beside it."""
    date = one.date.replace("T", " ").removesuffix("+00:00")
    took = "not finished" if one.seconds is None else f"{one.seconds / 60:.1f} min"
    load = f"load {one.load_before:.1f} before, {one.load_most:.1f} at most"
    return f"{one.section}: {date} UTC, {took}, {load}"


def table(figures: Sequence[Figure]) -> Table:
    """Make the table of all figures."""
    made = Table("", "", *COLUMNS, "wanted", box=None, pad_edge=False)
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

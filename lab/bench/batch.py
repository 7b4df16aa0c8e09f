"""Sessions of one kind, run one after another, and what they have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.bench import stage
from lab.bench.figures import Figure, Statistic, counted, spread
from lab.facts import Facts, facts
from lab.scenario import Scenario, SessionRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A session was run."""

    section: str
    what: str
    run: int
    runs: int
    facts: dict[str, Any]
    """What came of it."""
    events: dict[str, Any]
    """What the peers said, if they did not connect by the first shot."""
    conditions: Mapping[str, str | float] = field(default_factory=dict)
    """What it was run under, for pictures."""


Step = Progress | Figure
Session = Callable[[], SessionRun]


@dataclass(slots=True)
class Batch:
    """Sessions of one kind, collected while their progress is passed on."""

    section: str
    what: str
    runs: int
    scenario: Scenario
    conditions: Mapping[str, str | float] = field(default_factory=dict)
    rows: list[Facts] = field(default_factory=list)
    syns: list[float] = field(default_factory=list)
    later_open_ms: list[float | None] = field(default_factory=list)

    def run(self, session: Session | None = None) -> Iterator[Progress]:
        """Run the sessions, by ``session`` or else as the scenario has them."""
        for number in range(1, self.runs + 1):
            run = (session or self.scenario.run)()
            row = facts(run, self.scenario.options)
            syns, later_open_ms = stage.most_syns_an_attempt(run), stage.later_open_ms(run)
            self.rows.append(row)
            self.syns.append(syns)
            self.later_open_ms.append(later_open_ms)
            events: dict[str, Any] = {side: peer.events for side, peer in run.peers.items()}
            yield Progress(
                section=self.section,
                what=self.what,
                run=number,
                runs=self.runs,
                facts=dataclasses.asdict(row) | {"syns": syns, "later_open_ms": later_open_ms},
                events={} if row.connected and row.first_shot else events,
                conditions=self.conditions,
            )

    def values(self, name: str) -> list[float | None]:
        """Return a field of the facts of each session."""
        return [getattr(row, name) for row in self.rows]

    def counted(self, what: str, hits: Sequence[bool], at_least: int | None) -> Figure:
        """Make a figure of something that is so or not in each session.

        Args:
            what: is counted.
            hits: one for each session.
            at_least: how often it is wanted to be so; None: nothing is wanted.
        """
        return counted(self.section, f"{self.what}: {what}", hits, at_least=at_least)

    def connected(self) -> Figure:
        """Make the figure of how many connected: all are wanted to."""
        return self.counted("connected", [row.connected for row in self.rows], self.runs)

    def by_first_shot(self, at_least: int | None = None) -> Figure:
        """Make the figure of how many connected by both peers' first shots."""
        hits = [bool(row.first_shot) for row in self.rows]
        return self.counted("by the first shot", hits, at_least)

    def spread(
        self,
        what: str,
        values: Sequence[float | None],
        *,
        unit: str = "ms",
        statistic: Statistic = "max",
        at_most: float | None = None,
    ) -> Figure:
        """Make a figure of something that is measured in each session; as in :mod:`figures`."""
        return spread(
            self.section,
            f"{self.what}: {what}",
            values,
            unit=unit,
            statistic=statistic,
            at_most=at_most,
        )

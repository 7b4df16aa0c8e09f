"""Sessions of one kind, run one after another, and what they have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lab.bench import stage
from lab.bench.figures import Figure, counted
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


Step = Progress | Figure
Session = Callable[[], SessionRun]


def _sessions(
    section: str, what: str, runs: int, scenario: Scenario, session: Session
) -> Iterator[Progress | tuple[Facts, SessionRun]]:
    """Run sessions; yields both what came of each and that it is over."""
    for number in range(1, runs + 1):
        run = session()
        row = facts(run, scenario.options)
        events: dict[str, Any] = {side: peer.events for side, peer in run.peers.items()}
        yield row, run
        yield Progress(
            section=section,
            what=what,
            run=number,
            runs=runs,
            facts=dataclasses.asdict(row),
            events={} if row.connected and row.first_shot else events,
        )


@dataclass(slots=True)
class Batch:
    """Sessions of one kind, collected while their progress is passed on."""

    section: str
    what: str
    runs: int
    scenario: Scenario
    rows: list[Facts] = dataclasses.field(default_factory=list)
    syns: list[float] = dataclasses.field(default_factory=list)
    later_open_ms: list[float | None] = dataclasses.field(default_factory=list)

    def run(self, session: Session | None = None) -> Iterator[Progress]:
        """Run the sessions, by ``session`` or else as the scenario has them."""
        steps = _sessions(
            self.section, self.what, self.runs, self.scenario, session or self.scenario.run
        )
        for step in steps:
            if isinstance(step, Progress):
                yield step
            else:
                self.rows.append(step[0])
                self.syns.append(stage.most_syns_an_attempt(step[1]))
                self.later_open_ms.append(stage.later_open_ms(step[1]))

    def values(self, name: str) -> list[float | None]:
        """Return a field of the facts of each session."""
        return [getattr(row, name) for row in self.rows]

    def counted(self, what: str, hits: Sequence[bool], at_least: int | None = None) -> Figure:
        """Make a figure of something that is so or not in each session; all, unless told."""
        wanted = self.runs if at_least is None else at_least
        return counted(self.section, f"{self.what}: {what}", hits, at_least=wanted)

    def connected(self) -> Figure:
        """Make the figure of how many connected: all are wanted to."""
        return self.counted("connected", [row.connected for row in self.rows])

"""What an experiment says: its claim, what was done and seen, and whether the claim held. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.diagram.ladder import Ladder
from lab.experiments.kernel import Entry
from lab.packets import Packet


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence that must be true, and what was seen of it."""

    what: str
    seen: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """The kernel's table of sockets at a moment."""

    when: str
    entries: tuple[Entry, ...]
    owners: tuple[str, ...]
    """Whose each entry was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One thing that was tried."""

    title: str
    steps: tuple[str, ...]
    """What was done, with what the kernel answered."""
    ladder: Ladder
    listings: tuple[Listing, ...] = ()
    packets: tuple[Packet, ...] = field(default=(), repr=False)
    """Each packet once, by time."""
    lost: int = 0
    """Packets that did not fit into a capture: it proves nothing unless 0."""
    pictured: bool = True
    """Whether it is part of the picture: a picture does not need everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One experiment."""

    name: str
    title: str
    claim: str
    scenes: tuple[Scene, ...]
    checks: tuple[Check, ...]
    lesson: str
    """What it means, for somebody who sees it for the first time."""
    measures: dict[str, float] = field(default_factory=dict)
    """Figures that were measured and that nothing depends on; units in the names."""

    @property
    def holds(self) -> bool:
        """Tell whether the claim held, on captures that are whole."""
        return all(check.holds for check in self.checks) and not any(s.lost for s in self.scenes)

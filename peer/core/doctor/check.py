"""One thing that was looked at, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How well a thing is."""

    OK = "ok"
    WARNING = "warning"
    """Something will not work, or not always; something else will."""
    BROKEN = "broken"
    """midair cannot work before this is mended."""
    UNKNOWN = "unknown"
    """It was not looked at; the lines say what it takes."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    status: Status
    lines: tuple[str, ...]
    """For a person, the most important first; each a sentence without its full stop."""
    facts: dict[str, object] = field(default_factory=dict)
    """The same for a program, ready for JSON."""
    exit_code: int = 0
    """Of a broken one: what the command that needs it would exit with."""


def worst(*found: Status) -> Status:
    """Return the worst of some states, of which UNKNOWN is none."""
    order = (Status.OK, Status.WARNING, Status.BROKEN)
    return max((each for each in found if each in order), key=order.index, default=Status.OK)


def exit_code(checks: Iterable[Check]) -> int:
    """Return what the command exits with.

    Args:
        checks: in the order in which they are told.

    Returns:
        The code of the first broken one; 0 if none is.
    """
    return next((each.exit_code for each in checks if each.status is Status.BROKEN), 0)

"""Of a list of locked requirements print those that a distribution needs: locked.py NAME EXTRA.

Reads requirements/dev.txt from standard input. What needs what is asked of the environment that
this runs in, where all of it is installed.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed(name: str, extras: frozenset[str], found: set[tuple[str, frozenset[str]]]) -> set[str]:
    """Return the names of everything that a distribution needs, however indirectly.

    Args:
        name: of an installed distribution.
        extras: of it.
        found: what has been looked at; it grows.
    """
    if (name, extras) in found:
        return set()
    found.add((name, extras))
    names: set[str] = set()
    for line in requires(name) or []:
        wanted = Requirement(line)
        tries = [{"extra": extra} for extra in (*extras, "")]
        if wanted.marker is None or any(wanted.marker.evaluate(each) for each in tries):
            other = canonicalize_name(wanted.name)
            names |= {other} | needed(other, frozenset(wanted.extras), found)
    return names


def main() -> None:
    """Filter standard input."""
    names = needed(sys.argv[1], frozenset(sys.argv[2:]), set())
    # A requirement is a line and those that are indented below it.
    for block in re.findall(r"^[a-zA-Z].*\n(?:[ \t].*\n)*", sys.stdin.read(), re.MULTILINE):
        if canonicalize_name(re.split(r"[=<>~!\[ ;]", block)[0]) in names:
            sys.stdout.write(block)


if __name__ == "__main__":
    main()

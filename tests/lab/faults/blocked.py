"""Ports of a host in the lab that nobody reaches: refused, or swallowed."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Literal

from lab import system
from lab.world import World

How = Literal["rst", "drop"]
_TARGETS: dict[How, tuple[str, ...]] = {
    "rst": ("REJECT", "--reject-with", "tcp-reset"),
    "drop": ("DROP",),
}


@contextlib.contextmanager
def blocked(
    world: World, role: str, ports: tuple[int, int], how: How, *, source: str = "0.0.0.0/0"
) -> Iterator[None]:
    """Close TCP ports of a host, as its own firewall would.

    Args:
        world: the lab.
        role: the host's namespace.
        ports: first and last.
        how: ``rst`` answers as a host where nobody listens, ``drop`` not at all.
        source: only for segments from there.
    """
    rule = ["INPUT", "-p", "tcp", "--dport", f"{ports[0]}:{ports[1]}", "-s", source]

    def iptables(verb: str) -> None:
        words = ["iptables", "-w", verb, *rule, "-j", *_TARGETS[how]]
        subprocess.run(words, check=True, env=system.environment())

    space = world.space(role)
    space.call(lambda: iptables("-I"))
    try:
        yield
    finally:
        space.call(lambda: iptables("-D"))

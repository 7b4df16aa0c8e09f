"""What the experiments with midair's own programs share: their ends, pairs and pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lab.diagram.ladder import Ladder, fold
from lab.diagram.model import Kind
from lab.experiments.programs import Ended, Peer
from lab.packets import Endpoint

Pair = tuple[Endpoint, Endpoint]
"""Local and remote end of a connection of a volley."""


def end_both(one: Peer, other: Peer) -> tuple[Ended, Ended]:
    """Wait for the end of two peers at once, since neither ends before the other."""
    with ThreadPoolExecutor() as pool:
        ends = pool.submit(one.end), pool.submit(other.end)
        return ends[0].result(), ends[1].result()


def pairs_of(appointed: dict[str, object] | None, address: str) -> list[Pair]:
    """Read the pairs of an appointment.

    Args:
        appointed: the event, if there was one.
        address: of the peer that told of it.
    """
    pairs = None if appointed is None else appointed["pairs"]
    if not isinstance(pairs, list):
        return []
    return [((address, int(local[1:])), _endpoint(remote)) for local, remote in pairs]


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return host, int(port)


def until_open(ladder: Ladder) -> Ladder:
    """Fold everything from the first data on."""
    said = (f.start_ns for f in ladder.flights if f.length)
    over = min(said, default=ladder.flights[-1].end_ns if ladder.flights else 0)
    kept = replace(ladder, notes=tuple(note for note in ladder.notes if note.t_ns <= over))
    return fold(kept, lambda f: f.start_ns < over, lambda of: f"they talk: {len(of)} packets")


def without_goodbye(ladder: Ladder) -> Ladder:
    """Fold everything from the first FIN on."""
    fins = (f.start_ns for f in ladder.flights if f.kind is Kind.FIN)
    over = min(fins, default=ladder.flights[-1].end_ns if ladder.flights else 0)
    kept = replace(ladder, notes=tuple(note for note in ladder.notes if note.t_ns < over))
    return fold(kept, lambda f: f.start_ns < over, lambda of: f"they hang up: {len(of)} packets")

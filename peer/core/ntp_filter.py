"""From many NTP samples of several servers to one offset that can be relied on.

Theory of operation
-------------------

*One server.*  Its samples differ in what the network added, so the one of
least distance is taken (RFC 5905 §10, the clock filter)::

    distance = delay / 2 + root distance + PHI x age

Half the delay is how wrong the sample can be (``rtt``); the root distance is
how wrong the server says that it can be itself.  If it says so honestly, the
truth lies within ``offset ± distance``.

*Several servers.*  Of n servers, ``f = (n - 1) // 2`` may be false and still be
a minority.  The n - f honest intervals all contain the truth, so it lies
between the lowest and the highest point that n - f intervals have in common::

    server 1        |------------|
    server 2           |----|                          n = 4, f = 1
    server 3      |------------|
    server 4                            |--|   falseticker
    agreed             [----]

RFC 5905 §11.2.1 tries with no falseticker first, then one, then two, and takes
the first common interval.  That one is narrower, but a liar who overlaps the
honest ones in part can push it off the truth.  Here f is always the largest
minority, so the interval cannot be wrong while the honest are a majority: that
is what a *bound* has to mean.  It costs little.  Of any f + 1 servers one is
honest, so the f + 1 surest already bound it.  A server whose interval misses it
is a falseticker: never an honest one, and always one that disagrees with all
honest ones.

*The result.*  The offset of the surest survivor that puts it inside the agreed
interval (asymmetry, the error that remains, grows with distance, so averaging
the others in would only add to it), or the interval's middle if none does.  The
bound reaches to the interval's far end, so it contains all that was agreed.

One server is taken at its word.  Two that disagree outvote each other: neither
is believed, and both are reported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from peer.core.clockmap import OffsetEstimate
from peer.core.rtt import Exchange
from peer.core.times import MonoNs

FILTER_STAGES = 8
"""Samples of one server that count, the newest (RFC 5905 §7.2, NSTAGE)."""


@dataclass(frozen=True, slots=True)
class Sample(Exchange):
    """One exchange with an NTP server."""

    root_distance_ns: int
    """How wrong the server says that its clock can be."""
    server: str

    def estimate(self) -> OffsetEstimate:
        """State the sample as an offset with its bound, as of its own time."""
        return OffsetEstimate(self.offset_ns, self.error_ns + self.root_distance_ns, self.at)


@dataclass(frozen=True, slots=True)
class Selection:
    """What several servers together say."""

    estimate: OffsetEstimate | None
    """None when there is no majority."""
    survivors: tuple[str, ...]
    """The surest first."""
    falsetickers: tuple[str, ...]
    """All of them when there is no majority."""


def best(samples: Sequence[Sample]) -> Sample:
    """Pick the sample to believe among those of one server.

    Args:
        samples: in the order of their arrival, at least one.

    Returns:
        The one of least distance when the newest arrived.

    Raises:
        ValueError: if there is none.
    """
    stages = samples[-FILTER_STAGES:]
    now = MonoNs(max((sample.at for sample in stages), default=0))
    return min(stages, key=lambda sample: sample.estimate().bound_at(now))


def select(per_server: Mapping[str, Sequence[Sample]]) -> Selection:
    """Drop the falsetickers and combine the rest.

    Args:
        per_server: the samples of each server, in the order of their arrival;
            a server without samples has no voice.

    Returns:
        The estimate, as of the newest sample used, and who was believed.
    """
    estimates = {name: best(samples).estimate() for name, samples in per_server.items() if samples}
    if not estimates:
        return Selection(None, (), ())
    now = MonoNs(max(estimate.measured_at for estimate in estimates.values()))
    surest_first = sorted(estimates, key=lambda name: estimates[name].bound_at(now))
    intervals = {name: _interval(estimates[name], now) for name in surest_first}
    minority = (len(intervals) - 1) // 2
    agreed = _common(intervals.values(), len(intervals) - minority)
    if agreed is None:
        return Selection(None, (), tuple(estimates))
    low, high = agreed
    survivors = tuple(n for n, (lo, hi) in intervals.items() if hi >= low and lo <= high)
    offsets = (estimates[name].offset_ns for name in survivors)
    offset = next((each for each in offsets if low <= each <= high), (low + high) // 2)
    return Selection(
        OffsetEstimate(offset, max(high - offset, offset - low), now),
        survivors,
        tuple(name for name in estimates if name not in survivors),
    )


def _interval(estimate: OffsetEstimate, now: MonoNs) -> tuple[int, int]:
    bound = estimate.bound_at(now)
    return estimate.offset_ns - bound, estimate.offset_ns + bound


def _common(intervals: Collection[tuple[int, int]], needed: int) -> tuple[int, int] | None:
    """Find the lowest and the highest point that ``needed`` closed intervals contain."""
    # A low end sorts before a high end at the same point: intervals that touch have it in common.
    edges = sorted([(lo, 0) for lo, _ in intervals] + [(hi, 1) for _, hi in intervals])
    low = high = None
    depth = 0
    for point, is_high in edges:
        if is_high:
            if depth >= needed:
                high = point
            depth -= 1
        else:
            depth += 1
            if depth >= needed and low is None:
                low = point
    return None if low is None or high is None else (low, high)

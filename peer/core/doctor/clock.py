"""Is the time known, and how well?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from peer.core.clockmap import OffsetEstimate
from peer.core.doctor.check import Check, Status
from peer.core.meeting import MAX_BOUND_US
from peer.core.units import duration, offset
from rendezvous.protocol.times import US_PER_S, bound_us_from_ns, us_from_ns

POOR_US = 100_000
"""A clock known worse than this meets few partners by the first shot, and most by firing again."""
QUORUM = 3
"""RFC 8633 §3.2: with fewer servers nobody can tell which one is wrong."""
WRONG_US = 60 * US_PER_S
"""A wall clock further off than this is worth a word: other programs believe it."""
NO_CLOCK = 4
"""The exit code of a peer without a usable clock."""


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """What was learned of the time."""

    ntp: OffsetEstimate | None = None
    survivors: tuple[str, ...] = ()
    falsetickers: tuple[str, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    """Servers without an answer, and why."""
    rendezvous: OffsetEstimate | None = None
    rtt_us: int | None = None
    """To the rendezvous."""


def judge_clock(seen: ClockSeen) -> Check:
    """Say how well the time is known.

    Args:
        seen: the measurements.

    Returns:
        The check; broken when nobody says what time it is.
    """
    facts: dict[str, object] = {
        "ntp": None
        if seen.ntp is None
        else {
            **_described(seen.ntp),
            "servers": list(seen.survivors),
            "falsetickers": list(seen.falsetickers),
        },
        "failures": dict(seen.failures),
        "rendezvous": None
        if seen.rendezvous is None
        else {**_described(seen.rendezvous), "rtt_us": seen.rtt_us},
    }
    status, lines = _judge_ntp(seen.ntp, seen)
    if seen.rendezvous is not None:
        lines.append(f"by the rendezvous: {_said(seen.rendezvous)}")
    code = NO_CLOCK if status is Status.BROKEN else 0
    return Check("clock", status, tuple(lines), facts, code)


def _judge_ntp(ntp: OffsetEstimate | None, seen: ClockSeen) -> tuple[Status, list[str]]:
    silent = _grouped(seen.failures)
    if ntp is None:
        contradicted = ", ".join(seen.falsetickers)
        what = (
            f"the NTP servers contradict each other: {contradicted}"
            if contradicted
            else "no NTP server answers: allow UDP port 123, or name others with --ntp"
        )
        if seen.rendezvous is None:
            return Status.BROKEN, [what, *silent]
        return Status.WARNING, [f"{what}; `midair meet` needs one", *silent]
    lines = [f"this clock is {_said(ntp)}, by NTP"]
    bound_us = bound_us_from_ns(ntp.bound_ns)
    poor = bound_us > POOR_US
    if bound_us > MAX_BOUND_US:
        lines.append("known too badly for `midair meet`")
    elif poor:
        lines.append("known badly: expect shots to be fired again; try nearer servers with --ntp")
    if abs(us_from_ns(ntp.offset_ns)) > WRONG_US:
        lines.append("midair corrects it; other programs, and certificates, do not")
    answered = len(seen.survivors) + len(seen.falsetickers)
    asked = answered + len(seen.failures)
    lines.append(f"{answered} of {asked} NTP servers answered")
    if answered < QUORUM:
        lines[-1] += "; three outvote a wrong one"
    if seen.falsetickers:
        lines.append(f"wrong, and outvoted: {', '.join(seen.falsetickers)}")
    return Status.WARNING if poor else Status.OK, lines + silent


def _grouped(failures: Mapping[str, str]) -> list[str]:
    """Say why servers did not answer, each reason once."""
    names: dict[str, list[str]] = {}
    for name, why in failures.items():
        names.setdefault(why, []).append(name)
    return [f"{', '.join(found)}: {why}" for why, found in names.items()]


def _described(estimate: OffsetEstimate) -> dict[str, object]:
    return {
        "offset_us": us_from_ns(estimate.offset_ns),
        "bound_us": bound_us_from_ns(estimate.bound_ns),
    }


def _said(estimate: OffsetEstimate) -> str:
    # offset = server - local: a clock that is behind has a positive one.
    error_us = us_from_ns(estimate.offset_ns)
    side = "behind" if error_us > 0 else "ahead"
    bound = duration(bound_us_from_ns(estimate.bound_ns))
    return f"{offset(abs(error_us))} {side} (± {bound})"

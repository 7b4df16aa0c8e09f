"""A report as words for a person, as values for a program, and as a picture. Pure."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from lab.diagram.ladder import Flight, Ladder, Mark, Panel, draw_svg, draw_text
from lab.experiments.calls import show
from lab.experiments.report import Listing, Report, Scene

_TEXT_WIDTH = 92
"""Columns of running text; diagrams take what the terminal has."""
_WIDTH = 100
"""Columns of a diagram where the terminal does not say: four lanes need more than 80."""
_BOLD, _GOOD, _BAD, _DIM = "1", "1;32", "1;31", "2"


def as_words(report: Report, *, color: bool) -> str:
    """Tell an experiment to a person.

    Args:
        report: what was seen.
        color: whether to colour it by SGR sequences.

    Returns:
        Lines: claim, scenes with their diagrams, lesson, verdict.
    """
    paint = _Paint(color)
    lines = [paint(f"{report.name}: {report.title}", _BOLD), "", *_wrapped(report.claim), ""]
    for scene in report.scenes:
        lines += _scene(scene, paint)
    lines += [paint("What it means", _BOLD), "", *_wrapped(report.lesson), ""]
    for check in report.checks:
        mark = paint("✓", _GOOD) if check.holds else paint("✗", _BAD)
        what, *more = _wrapped(check.what, "  ", "")
        lines += [f"{mark} {what}", *more, *_wrapped(check.seen, "    ")]
    lost = sum(scene.lost for scene in report.scenes)
    if lost:
        lines.append(f"{paint('✗', _BAD)} the captures lost {lost} packets: they prove nothing")
    held = sum(check.holds for check in report.checks)
    verdict = "The claim holds" if report.holds else "The claim does not hold"
    style = _GOOD if report.holds else _BAD
    return "\n".join([*lines, "", paint(f"{verdict}: {held} of {len(report.checks)}.", style), ""])


def _scene(scene: Scene, paint: _Paint) -> Iterator[str]:
    yield paint(scene.title, _BOLD)
    yield ""
    for step in scene.steps:
        yield from _wrapped(step, "    ", "  - ")
    yield ""
    width = shutil.get_terminal_size(fallback=(_WIDTH, 40)).columns
    yield draw_text(scene.ladder, width=width, color=paint.on)
    for listing in scene.listings:
        yield from _listing(listing)
        yield ""


def _listing(listing: Listing) -> Iterator[str]:
    yield f"  The kernel's sockets, {listing.when}:"
    rows = [
        (
            entry.room,
            show(entry.local),
            "" if entry.state == "LISTEN" else show(entry.remote),
            entry.state,
            owner,
            _queue(entry.state, entry.unread),
        )
        for entry, owner in zip(listing.entries, listing.owners, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"    {'  '.join(cells)}".rstrip()
    if not rows:
        yield "    none"


def _queue(state: str, unread: int) -> str:
    if not unread:
        return ""
    return f"{unread} not accepted" if state == "LISTEN" else f"{unread} B unread"


def _wrapped(text: str, indent: str = "", first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        _TEXT_WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


class _Paint:
    """Colours words, or does not."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.on else text


def picture(report: Report) -> str:
    """Draw an experiment's scenes as one SVG."""
    scenes = [scene for scene in report.scenes if scene.pictured]
    return draw_svg(
        [Panel(scene.title, scene.ladder) for scene in scenes],
        title=report.title,
        caption=f"Captured by midair-lab experiment {report.name}; times in ms",
    )


def as_values(report: Report) -> dict[str, Any]:
    """Return an experiment as values that JSON can hold."""
    return {
        "experiment": report.name,
        "title": report.title,
        "claim": report.claim,
        "holds": report.holds,
        "checks": [asdict(check) for check in report.checks],
        "measures": report.measures,
        "scenes": [_scene_values(scene) for scene in report.scenes],
        "lesson": report.lesson,
    }


def _scene_values(scene: Scene) -> dict[str, Any]:
    names = [lane.name for lane in scene.ladder.lanes]
    return {
        "title": scene.title,
        "steps": scene.steps,
        "packets": [_packet(flight, names) for flight in scene.ladder.flights],
        "folded": [fold.text for fold in scene.ladder.folds],
        "states": list(_states(scene.ladder, names)),
        "sockets": [_listing_values(listing) for listing in scene.listings],
        "lost_packets": scene.lost,
    }


def _packet(flight: Flight, names: list[str]) -> dict[str, Any]:
    return {
        "t_us": flight.start_ns / 1000,
        "arrived_us": None if flight.lost else flight.end_ns / 1000,
        "from": names[flight.source],
        "to": names[flight.target],
        "source": show(flight.flow[0]),
        "destination": show(flight.flow[1]),
        "flags": flight.flags,
        "seq": flight.seq,
        "ack": flight.ack,
        "length": flight.length,
    }


def _states(ladder: Ladder, names: list[str]) -> Iterable[dict[str, Any]]:
    for note in ladder.notes:
        if note.mark is Mark.STATE:
            yield {"t_us": note.t_ns / 1000, "at": names[note.lane], "state": note.text}


def _listing_values(listing: Listing) -> dict[str, Any]:
    return {
        "when": listing.when,
        "entries": [
            {
                "host": entry.room,
                "local": show(entry.local),
                "remote": show(entry.remote),
                "state": entry.state,
                "owner": owner,
                "queued": entry.unread,
            }
            for entry, owner in zip(listing.entries, listing.owners, strict=True)
        ],
    }

"""``midair-lab run``: sessions in a lab of one's own making, and what came of them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Generator
from typing import Any

import click

from lab.facts import MEASURES, Facts, facts, summarise
from lab.interrupt import signals_raise
from lab.options import LabOptions
from lab.scenario import Scenario, SessionRun
from lab.world import World

_WORDS = {
    "since_report_ms": "second report to connected",
    "elapsed_ms": "program's start to connected",
    "after_later_ms": "later first SYN to open",
    "skew_ms": "first SYNs apart",
    "clock_difference_ms": "corrected clocks apart",
    "shots": "SYNs of both peers",
}


def sessions(options: LabOptions, repeat: int) -> Generator[SessionRun, None, None]:
    """Build a lab and run sessions in it, one after another; tear it down at the end."""
    with World(options.world) as world, Scenario(world, options) as scenario:
        for _ in range(repeat):
            yield scenario.run()


def run(options: LabOptions, *, repeat: int, as_json: bool) -> bool:
    """Run sessions and print each and their summary.

    Args:
        options: the lab.
        repeat: how many sessions.
        as_json: one JSON object a line on standard output: a ``session`` each, one ``summary``.

    Returns:
        Whether all connected.
    """
    rows: list[Facts] = []
    # Closed at once whatever happens here, not when its last reference is gone.
    with signals_raise(), contextlib.closing(sessions(options, repeat)) as ran:
        for number, session in enumerate(ran, start=1):
            row = facts(session, options)
            rows.append(row)
            if as_json:
                _print_json("session", {"session": number, **dataclasses.asdict(row)})
            else:
                click.echo(f"{number:4}  {describe(row)}")
                _complain(session)
    summary = summarise(rows)
    if as_json:
        _print_json("summary", summary)
    else:
        _print_summary(summary)
    return all(row.connected for row in rows)


def describe(row: Facts) -> str:
    """Say in a line what came of a session."""
    if not row.connected:
        codes = " and ".join(str(code) for code in row.exit_codes)
        return f"not connected: {row.verdict or 'no verdict'}, exit {codes}"
    assert row.shots is not None
    how = "by the first shot" if row.first_shot else f"after {row.refusals} refusals"
    parts = [f"connected {how}", "SYNs crossed" if row.crossed else "SYNs did not cross"]
    if row.since_report_ms is not None:
        parts.append(f"{row.since_report_ms:.1f} ms after the second report")
    if row.skew_ms is not None:
        parts.append(f"skew {row.skew_ms:.2f} ms")
    return ", ".join(parts)


def _complain(session: SessionRun) -> None:
    """Show what peers said besides events: an accident that nobody should miss."""
    for side, peer in session.peers.items():
        if peer.noise:
            click.echo(f"peer {side} said:\n{peer.noise}", err=True)
    if session.lost_packets:
        click.echo(f"the captures lost {session.lost_packets} packets", err=True)


def _print_json(event: str, fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def _print_summary(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    total = summary["sessions"]
    console.print(
        f"\n{summary['connected']} of {total} connected, "
        f"{summary['first_shot']} by the first shot, "
        f"{summary['crossed']} with SYNs that crossed in the captures"
    )
    for verdict, count in summary["verdicts"].items():
        console.print(f"{count} × {verdict}")
    table = Table("", "min", "median", "p95", "max", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in MEASURES:
        if summary[name] is not None:
            unit = "" if name == "shots" else " ms"
            cells = (f"{value:.6g}{unit}" for value in summary[name].values())
            table.add_row(_WORDS[name], *cells)
    console.print(table)

"""``python -m lab.bench [SECTION]...``: run the benchmark's sections and print one table.

Exit 1 if a figure is not as wanted, or a section did not come to its end.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.status import Status

from lab.bench.figures import Figure
from lab.bench.inside import measure
from lab.bench.report import Report, cells
from lab.bench.sections import GUEST, HOST
from lab.guest import this_command
from lab.interrupt import Interrupted

EXIT_MISSED, EXIT_INTERRUPTED = 1, 130


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "json_file", envvar="BENCH_JSON", type=click.Path(path_type=Path))
@click.option("--inside", is_flag=True, hidden=True)
@click.argument("sections", nargs=-1, type=click.Choice([*GUEST, *HOST]))
def main(sections: Sequence[str], json_file: Path | None, inside: bool) -> None:
    """Measure SECTIONS (all, if none is named) and compare them with what is wanted.

    --json FILE, or BENCH_JSON in the environment, writes everything there, each session with it.
    """
    if inside:
        try:
            measure(sections)
        except Interrupted as interrupted:
            sys.exit(interrupted.exit_code)
        return
    wanted = sections or [*GUEST, *HOST]
    now = datetime.datetime.now(tz=datetime.UTC)
    report = Report(date=now.isoformat(timespec="minutes"))
    try:
        for places, in_guest in ((HOST, False), (GUEST, True)):
            names = [name for name in places if name in wanted]
            if names:
                _run(report, names, in_guest=in_guest)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    finally:
        report.load.append(os.getloadavg()[0])
        if json_file is not None:
            json_file.write_text(json.dumps(report.to_json()) + "\n")
    report.print(Console(highlight=False, width=None if sys.stdout.isatty() else 140))
    sys.exit(0 if report.holds else EXIT_MISSED)


def _run(report: Report, names: Sequence[str], *, in_guest: bool) -> None:
    """Run sections where they belong, in a process of their own, and read what it says."""
    report.load.append(os.getloadavg()[0])
    command = [sys.executable, "-m", "lab.bench", "--inside", *names]
    if in_guest:
        command = this_command(["guest", "--", *command])
    console = Console(stderr=True, highlight=False)
    with (
        console.status("building the lab …") as status,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                _take(report, line, console, status)
        except KeyboardInterrupt:
            # It got the signal too, and cleans up.
            process.wait()
            raise
    if process.returncode:
        report.broken.append(f"{', '.join(names)}: exit {process.returncode}")


def _take(report: Report, line: str, console: Console, status: Status) -> None:
    ((kind, fields),) = json.loads(line).items()
    match kind:
        case "machine":
            report.machines.append(fields)
        case "progress":
            report.sessions.append(fields)
            what = f"{fields['section']}: {fields['what']}"
            status.update(f"{what}, {fields['run']} of {fields['runs']}")
        case "figure":
            figure = Figure(**fields)
            report.figures.append(figure)
            numbers = "  ".join(cell for cell in cells(figure)[1:] if cell)
            mark = "✓" if figure.holds else "✗"
            console.print(
                f"{mark} {figure.section}: {figure.what}  {numbers}  ({figure.wanted})",
                soft_wrap=True,
            )


if __name__ == "__main__":
    main()

"""``python -m lab.bench [SECTION]...``: run the benchmark's sections and print one table.

Exit 1 if a figure is not as wanted or a section did not come to its end, 2 if it cannot begin.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from lab.bench.inside import measure
from lab.bench.origin import ROOT, describe_command, describe_commit, describe_machine
from lab.bench.page.markdown import PAGE
from lab.bench.page.markdown import render as render_page
from lab.bench.report import Report
from lab.bench.run import Runner
from lab.bench.sections import GUEST, HOST
from lab.interrupt import Interrupted

EXIT_MISSED, EXIT_INTERRUPTED = 1, 130
ALL = [*HOST, *GUEST]
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "json_file", envvar="BENCH_JSON", type=_FILE, metavar="FILE")
@click.option("--resume", is_flag=True, help="Keep what --json FILE holds; measure the rest.")
@click.option("--render", type=_FILE, metavar="FILE", help="Measure nothing: write FILE's page.")
@click.option("--inside", is_flag=True, hidden=True)
@click.argument("sections", nargs=-1, type=click.Choice(ALL))
def main(
    sections: Sequence[str],
    json_file: Path | None,
    resume: bool,
    render: Path | None,
    inside: bool,
) -> None:
    """Measure SECTIONS (all, if none is named) and compare them with what is wanted.

    Once all are measured, docs/benchmarks.md and its pictures are written anew. --json FILE, or
    BENCH_JSON in the environment, has everything, each session with it, after every section.
    """
    if inside:
        try:
            measure(sections)
        except Interrupted as interrupted:
            sys.exit(interrupted.exit_code)
        return
    if render is not None:
        _write_page(_read(render))
        return
    if resume and json_file is None:
        raise click.UsageError("--resume needs --json FILE (or BENCH_JSON): what to go on with")
    report = Report(command=describe_command(sections, resume=resume))
    if resume and json_file is not None and json_file.exists():
        kept = _read(json_file)
        kept.keep(kept.finished)
        report.machines, report.measured = kept.machines, kept.measured
        report.figures, report.sessions = kept.figures, kept.sessions
    wanted = [name for name in sections or ALL if name not in report.finished]
    if {*wanted, *report.finished} >= {*ALL}:
        _need_matplotlib()
    _measure(report, wanted, json_file)
    report.print(Console(highlight=False, width=None if sys.stdout.isatty() else 160))
    missing = [name for name in ALL if name not in report.finished]
    if missing:
        click.echo(f"docs/{PAGE} is left as it was: not measured: {', '.join(missing)}")
    else:
        _write_page(report)
    sys.exit(0 if report.holds else EXIT_MISSED)


def _measure(report: Report, wanted: Sequence[str], json_file: Path | None) -> None:
    def save() -> None:
        report.sort(ALL)
        if json_file is not None:
            # Renamed, so that whoever reads it, or cuts this short, never sees half of it.
            half = json_file.with_name(f"{json_file.name}.part")
            half.write_text(json.dumps(report.to_json()) + "\n")
            half.replace(json_file)

    report.add_machine(describe_machine())
    runner = Runner(report, describe_commit(), save)
    try:
        for places, in_guest in ((HOST, False), (GUEST, True)):
            names = [name for name in places if name in wanted]
            if names:
                runner.run(names, in_guest=in_guest)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    finally:
        save()


def _read(file: Path) -> Report:
    try:
        return Report.from_json(json.loads(file.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.UsageError(f"{file} is no report of this benchmark: {error}") from error


def _write_page(report: Report) -> None:
    _need_matplotlib()
    from lab.bench.page import pictures

    report.sort(ALL)
    folder = ROOT / "docs"
    if not folder.is_dir():
        raise click.UsageError(f"no page is written: there is no folder {folder}")
    for name, text in pictures.draw(report.sessions).items():
        (folder / name).write_text(text)
    (folder / PAGE).write_text(render_page(report, ALL))
    click.echo(f"wrote docs/{PAGE} and its pictures")


def _need_matplotlib() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise click.UsageError("the page's pictures need matplotlib: run `make bench`")


if __name__ == "__main__":
    main()

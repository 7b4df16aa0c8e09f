"""docs/benchmarks.md, written from a report. Pure: the pictures are :mod:`pictures`'s."""

from __future__ import annotations

from collections.abc import Sequence

from lab.bench.page import tables
from lab.bench.page.reading import READINGS, WORDS, Picture, Reading
from lab.bench.report import Measured, Report, machine_line, measured_line

PAGE, SKEW_PICTURE, DELAY_PICTURE = "benchmarks.md", "bench-skew.svg", "bench-delay.svg"
_HEAD = """\
# Benchmarks

<!-- Written by `make bench` (lab/bench/page): what is changed here by hand is lost. -->

Everything here was measured by one command, from outside: the real programs in network namespaces
with real NATs, what they print, and what was captured at their interfaces. Where this kernel cannot
delay packets, the sections with delay ran in a user-mode Linux guest with one processor.
"""
_FOOT = """\
## Measure it yourself

```console
# make bench                                # everything; writes this page and its pictures anew
# make bench SECTIONS="near start"          # some of it, on the terminal only
# make bench BENCH_JSON=out/bench.json      # and everything as JSON, each session with it
# make bench BENCH_JSON=out/bench.json RESUME=1       # go on after a run that was cut short
# .venv/bin/python -m lab.bench --render out/bench.json   # only write page and pictures
```

It needs root and about three quarters of an hour, and a machine that does nothing else: the load
above is there to judge that by.
"""
_ALT: dict[Picture, tuple[str, str]] = {
    "skew": (SKEW_PICTURE, "Time from the later first SYN to open, against skew, for rst and drop"),
    "delay": (DELAY_PICTURE, "Share of sessions that connected, and time, against delay and loss"),
}


def render(report: Report, order: Sequence[str]) -> str:
    """Write the page.

    Args:
        report: what was measured.
        order: all sections there are; those that are missing are named.

    Returns:
        The page, as Markdown.
    """
    missing = [name for name in order if name not in report.finished]
    parts = [_HEAD, _origin(report)]
    if missing:
        parts.append(f"**Not measured:** {', '.join(missing)}.\n")
    parts += [f"**Broken:** {what}.\n" for what in report.broken]
    parts.append(f"{WORDS}\n")
    parts += [_section(report, one) for one in report.measured]
    return "\n".join([*parts, _FOOT])


def _origin(report: Report) -> str:
    dates = sorted(one.date.replace("T", " ").removesuffix("+00:00") for one in report.measured)
    loads = [one.load_before for one in report.measured]
    rows = {
        "measured": f"{dates[0]} to {dates[-1]} UTC" if dates else "nothing",
        "command": f"`{report.command}`",
        "commit": ", ".join(f"`{commit}`" for commit in report.commits),
    }
    for machine in report.machines:
        kind, _, words = machine_line(machine).partition(": ")
        rows[kind] = words
    if loads:
        most = max(one.load_most for one in report.measured)
        rows["load"] = (
            f"of the host, average of a minute: {min(loads):.1f} to {max(loads):.1f} before a "
            f"section, {most:.1f} at most, the benchmark's own share included"
        )
    rows["result"] = report.verdict
    return "".join(["| | |\n|---|---|\n", *(f"{tables.row([k, v])}\n" for k, v in rows.items())])


def _section(report: Report, one: Measured) -> str:
    figures = [figure for figure in report.figures if figure.section == one.section]
    reading = READINGS.get(one.section, Reading(title=one.section, text=""))
    lines = [f"## {reading.title}\n"]
    if reading.picture is not None:
        name, alt = _ALT[reading.picture]
        lines.append(f"![{alt}]({name})\n")
    if reading.text:
        lines.append(f"{reading.text}\n")
    compact = tables.compact(figures)
    full = "\n".join(tables.full(figures)) + "\n"
    if compact:
        summary = f"<details>\n<summary>The same with all columns, as printed: {len(figures)} rows"
        full = f"{summary}</summary>\n\n{full}\n</details>\n"
        lines.append("\n".join(compact) + "\n")
    lines.append(full)
    lines.append(f"*Section `{measured_line(one).replace(': ', '`: ', 1)}.*\n")
    return "\n".join(lines)

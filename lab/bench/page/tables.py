"""Figures as Markdown tables: all of them as they are printed, or a row for each kind of session.

A figure of a kind of sessions is called ``KIND: MEASURE``, as :class:`lab.bench.batch.Batch` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.bench.figures import Figure
from lab.bench.report import COLUMNS, cells

_BETWEEN = ": "


def full(figures: Sequence[Figure]) -> Iterator[str]:
    """Make the table that has everything: a line for each figure."""
    yield row(["", "", *COLUMNS, "wanted"])
    yield f"|---|---|{'---:|' * len(COLUMNS)}---|"
    for figure in figures:
        yield row([_mark([figure]), figure.what, *cells(figure), figure.wanted])


def compact(figures: Sequence[Figure]) -> list[str]:
    """Make the table with a line for each kind of sessions and a column for each measure.

    Returns:
        Its lines; none if the figures are not of this form: every one of a kind, and several
        measures of several kinds.
    """
    named = [(*figure.what.partition(_BETWEEN), figure) for figure in figures]
    kinds = dict.fromkeys(kind for kind, *_ in named)
    measures = dict.fromkeys(measure for _, _, measure, _ in named)
    if "" in measures or min(len(kinds), len(measures)) < 2:
        return []
    at = {(kind, measure): figure for kind, _, measure, figure in named}
    lines = [row(["", "", *measures]), f"|---|---|{'---:|' * len(measures)}"]
    for kind in kinds:
        of_kind = {measure: at.get((kind, measure)) for measure in measures}
        mark = _mark([figure for figure in of_kind.values() if figure is not None])
        lines.append(row([mark, kind, *(_short(figure) for figure in of_kind.values())]))
    wanted = {
        measure: dict.fromkeys(_wanted(figure) for _, _, name, figure in named if name == measure)
        for measure in measures
    }
    lines.append(row(["", "*wanted*", *(f"*{', '.join(words)}*" for words in wanted.values())]))
    return lines


def row(words: Sequence[str]) -> str:
    """Make a line of a table."""
    return f"| {' | '.join(word.replace('|', chr(92) + '|') for word in words)} |"


def _mark(figures: Sequence[Figure]) -> str:
    wanted = [figure for figure in figures if figure.is_wanted]
    if not wanted:
        return ""
    return "✓" if all(figure.holds for figure in wanted) else "**✗**"


def _wanted(figure: Figure) -> str:
    """Say what is wanted in the same words for kinds of sessions with more runs or fewer."""
    return "all" if figure.wanted == f"{figure.runs} of {figure.runs}" else figure.wanted


def _short(figure: Figure | None) -> str:
    """Say the median and the 95th percentile, or the count; bold if it is not as wanted."""
    if figure is None:
        return ""
    unit = f" {figure.unit}" if figure.unit else ""
    if figure.count is not None:
        words = f"{figure.count} of {figure.runs}"
    elif figure.median is None or figure.p95 is None:
        words = "never"
    else:
        words = f"{figure.median:.4g}, p95 {figure.p95:.4g}{unit}"
    return words if figure.holds else f"**{words}**"

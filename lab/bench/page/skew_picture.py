"""The picture of time to connect against skew: routers that RST above, that drop below."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import MultipleLocator

from lab.bench.page import physics
from lab.bench.page.draw import BAR, DASHED, dot_key, dots, key, legend, picture, svg, whisker
from lab.bench.page.series import Cell, Session, by_skew, spread
from lab.diagram.svg_style import AMBER, BLUE, CARD, FAINT, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from lab.topology import Answer

NEAR_MS = 66.0
"""Skews up to here have a common, even scale; each of those beyond has a place of its own."""
HEIGHT_INCHES = 7.4
TITLE = "Time to connect against skew"
_TITLES: dict[Answer, str] = {
    "rst": "Routers that refuse an early SYN with a RST: the early peer fires again at once",
    "drop": "Routers that drop an early SYN in silence: nobody is told, one shot each",
}
_HINTS: dict[Answer, str] = {
    "rst": "skew < D: one shot\nof each is enough",
    "drop": "skew < D: the early\nSYN is in time, too",
}
_CROSS: dict[str, Any] = {
    "marker": "x",
    "markersize": 5.5,
    "markeredgewidth": 1.4,
    "color": INK,
    "linewidth": 0,
}


def draw(sessions: Sequence[Session], delay_ms: float) -> str:
    """Draw the picture.

    Args:
        sessions: of a report.
        delay_ms: the delay one way that section ``refire`` was run with.

    Returns:
        The picture, as SVG.
    """
    with picture(HEIGHT_INCHES) as figure:
        grid = figure.add_gridspec(2, 2, width_ratios=[4.2, 1])
        upper: Axes | None = None
        for row, answer in enumerate(_TITLES):
            cells = by_skew(sessions, answer)
            near = figure.add_subplot(grid[row, 0], sharey=upper)
            far = figure.add_subplot(grid[row, 1], sharey=near)
            upper = upper or near
            near.set_ylim(1.5 * delay_ms, 3.6 * delay_ms)
            near.yaxis.set_major_locator(MultipleLocator(delay_ms / 2))
            near.set_title(_TITLES[answer])
            _near(near, [cell for cell in cells if cell.at_ms <= NEAR_MS], answer, delay_ms)
            _far(far, [cell for cell in cells if cell.at_ms > NEAR_MS], answer, delay_ms)
        figure.supxlabel("skew: how much later one peer’s first SYN left, in ms", fontsize=11)
        figure.supylabel("from the later first SYN to open, in ms", fontsize=11)
        legend(figure, _keys(), columns=3)
        return svg(figure, TITLE)


def _near(axes: Axes, cells: Sequence[Cell], answer: Answer, delay_ms: float) -> None:
    axes.set_xlim(-2, NEAR_MS)
    _predict(axes, answer, delay_ms)
    for cell in cells:
        _cell(axes, cell, cell.at_ms, [sample.skew_ms for sample in cell.samples])
    _beyond(axes, cells, [cell.at_ms for cell in cells])


def _far(axes: Axes, cells: Sequence[Cell], answer: Answer, delay_ms: float) -> None:
    """Draw the skews beyond: beside each other, each session in order."""
    axes.set_xlim(-0.6, max(1, len(cells)) - 0.4)
    axes.set_xticks(range(len(cells)), [f"{cell.at_ms:g}" for cell in cells])
    axes.tick_params(labelleft=False)
    axes.grid(axis="x", visible=False)
    if answer == "drop":
        axes.axhline(physics.both_open_ms(answer, NEAR_MS, delay_ms), **DASHED, zorder=1.5)
    else:
        # A little time is lost at each of many shots: where the last one falls is not told.
        axes.axhspan(2 * delay_ms, 3 * delay_ms, color=FAINT, zorder=0.5)
    for place, cell in enumerate(cells):
        step = 0.5 / max(1, len(cell.samples) - 1)
        _cell(axes, cell, place, [place - 0.25 + step * n for n in range(len(cell.samples))])
    _beyond(axes, cells, range(len(cells)))


def _cell(axes: Axes, cell: Cell, at: float, places: Sequence[float]) -> None:
    top = axes.get_ylim()[1]
    pairs = list(zip(places, cell.samples, strict=True))
    for first_shot in (True, False):
        shown = [
            (place, sample.both_open_ms)
            for place, sample in pairs
            if sample.first_shot is first_shot and sample.both_open_ms <= top
        ]
        dots(axes, [x for x, _ in shown], [y for _, y in shown], **_colours(first_shot))
    whisker(axes, at, cell.both_open_ms)
    later = spread(cell.later_open_ms)
    if later is not None:
        axes.plot([at], [later[1]], zorder=4, **_CROSS)


def _beyond(axes: Axes, cells: Sequence[Cell], places: Sequence[float]) -> None:
    """Name the sessions that are above the scale: they would flatten all others."""
    top = axes.get_ylim()[1]
    words = []
    for cell, place in zip(cells, places, strict=True):
        above = sorted(round(value) for value in cell.both_open_ms if value > top)
        if above:
            at_top = axes.get_xaxis_transform()
            look: dict[str, Any] = {"marker": "^", "color": AMBER, "clip_on": False, "zorder": 4}
            axes.plot([place], [1], transform=at_top, **look)
            words.append(f"at {cell.at_ms:g}: {', '.join(str(value) for value in above)} ms")
    if words:
        axes.annotate(
            f"▲ above, {'; '.join(words)}",
            (0.99, 0.97),
            xycoords="axes fraction",
            ha="right",
            va="top",
            fontsize=9.5,
            color=AMBER,
        )


def _predict(axes: Axes, answer: Answer, delay_ms: float) -> None:
    """Draw what packets allow, where the early peer loses no time between its shots."""
    skews = [n / 10 for n in range(round(10 * NEAR_MS) + 1)]
    times = [physics.both_open_ms(answer, skew, delay_ms) for skew in skews]
    # A jump is a gap in the line, not a slope.
    jumps = [abs(b - a) > delay_ms / 2 for a, b in itertools.pairwise(times)]
    line = [
        float("nan") if jump else time for time, jump in zip(times, [False, *jumps], strict=True)
    ]
    axes.plot(skews, line, zorder=1.5, **DASHED)
    axes.axvline(delay_ms, color=MUTED, linewidth=0.9, linestyle=":", zorder=1)
    axes.annotate(
        _HINTS[answer],
        (delay_ms, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(-6, 0),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9.5,
        color=MUTED,
    )
    axes.annotate(
        f"D = {delay_ms:g} ms",
        (delay_ms, 0.03),
        xycoords=("data", "axes fraction"),
        xytext=(6, 0),
        textcoords="offset points",
        fontsize=9.5,
        color=MUTED,
    )


def _colours(first_shot: bool) -> dict[str, str]:
    return {"edge": BLUE, "face": BLUE} if first_shot else {"edge": AMBER, "face": CARD}


def _keys() -> list[Line2D]:
    return [
        dot_key("both open, by the first shot", **_colours(True)),
        dot_key("both open, fired again", **_colours(False)),
        key("median; 5th to 95th percentile", color=INK, linewidth=0, **BAR),
        key("later peer open, median", **_CROSS),
        key("what packets allow, both open", **DASHED),
    ]

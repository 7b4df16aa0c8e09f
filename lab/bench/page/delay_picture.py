"""The picture of success, skew and time against delay, with a colour for each share of loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lab.bench.page import physics
from lab.bench.page.draw import BAR, DASHED, dot_key, dots, key, legend, picture, svg, whisker
from lab.bench.page.series import Cell, Session, by_delay, losses
from lab.diagram.svg_style import AMBER, BLUE, CARD, INK, TEAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

TITLE = "Success and time to connect against delay"
HEIGHT_INCHES = 9.6
_COLOURS = (BLUE, AMBER, TEAL)
_APART, _WIDTH = 0.4, 0.2
"""How far apart the series of one delay are, and how wide each one is; delays are 1 apart."""
_BAR: dict[str, Any] = {"color": INK, "linewidth": 0, **BAR}
_PATCH: dict[str, Any] = {"marker": "s", "markersize": 9, "linewidth": 0}
_CONNECTED: dict[str, Any] = {"marker": "s", "markersize": 9, "linewidth": 0}
_CONNECTED |= {"markerfacecolor": "none"}


def draw(sessions: Sequence[Session]) -> str:
    """Draw the picture.

    Args:
        sessions: of a report.

    Returns:
        The picture, as SVG.
    """
    with picture(HEIGHT_INCHES) as figure:
        shares, skews, times = figure.subplots(3, 1, sharex=True, height_ratios=[2, 2.6, 3])
        found = losses(sessions)
        cells = {loss: by_delay(sessions, loss) for loss in found}
        delays = sorted({cell.at_ms for row in cells.values() for cell in row})
        for number, loss in enumerate(found):
            shift = _APART * (number - (len(found) - 1) / 2)
            for cell in cells[loss]:
                at = delays.index(cell.at_ms) + shift
                _share(shares, cell, at, _COLOURS[number])
                _skews(skews, cell, at, _COLOURS[number])
                _times(times, cell, at, _COLOURS[number])
        _places(times, delays)
        _name_shares(shares)
        _name_skews(skews, delays)
        _name_times(times, delays)
        figure.align_ylabels()
        legend(figure, [*_loss_keys(found), key("median; 5th to 95th percentile", **_BAR)], 3)
        return svg(figure, TITLE)


def _places(axes: Axes, delays: Sequence[float]) -> None:
    axes.set_xticks(range(len(delays)), [f"{delay:g}" for delay in delays])
    axes.set_xlim(-0.5, max(1, len(delays)) - 0.5)
    axes.set_xlabel("delay one way, D, in ms")


def _name_shares(axes: Axes) -> None:
    axes.set_title("How many connected")
    axes.set_ylabel("sessions, in %")
    axes.set_ylim(-5, 112)
    axes.grid(axis="x", visible=False)
    keys = [
        key("connected", color=INK, **_CONNECTED),
        dot_key("by the first shot; 95 % confidence", edge=INK, face=INK),
    ]
    axes.legend(handles=keys, loc="lower right")


def _name_skews(axes: Axes, delays: Sequence[float]) -> None:
    axes.set_title("How far apart their first SYNs left: below D one shot of each is enough")
    keys = [
        dot_key("connected by the first shot", edge=INK, face=INK),
        dot_key("fired again", edge=INK, face=CARD),
        key("D", **DASHED),
    ]
    _logarithmic(axes, "skew, in ms", delays)
    axes.legend(handles=keys, loc="upper left")


def _name_times(axes: Axes, delays: Sequence[float]) -> None:
    axes.set_title("How long it took")
    keys = [
        dot_key("second report to connected and proven", edge=INK, face=CARD),
        dot_key("later first SYN to both open", edge=INK, face=INK),
        key("what packets allow: one round trip, 2 D", **DASHED),
    ]
    allowed = [physics.later_open_ms(delay) for delay in delays]
    _logarithmic(axes, "time, in ms", allowed)
    axes.legend(handles=keys, loc="lower right")


def _logarithmic(axes: Axes, label: str, limits: Sequence[float]) -> None:
    """Make a panel for values of very different sizes, with a limit drawn at each delay."""
    axes.set_ylabel(label)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", visible=False)
    for place, limit in enumerate(limits):
        axes.plot([place - 0.42, place + 0.42], [limit, limit], zorder=1, **DASHED)


def _share(axes: Axes, cell: Cell, at: float, colour: str) -> None:
    low, high = physics.interval(cell.first_shot, cell.runs)
    axes.plot([at, at], [100 * low, 100 * high], color=colour, linewidth=1.2, zorder=2)
    dots(axes, [at], [100 * cell.first_shot / cell.runs], edge=colour, face=colour)
    axes.plot([at], [100 * cell.connected / cell.runs], color=colour, zorder=3, **_CONNECTED)


def _skews(axes: Axes, cell: Cell, at: float, colour: str) -> None:
    places = _beside(at, len(cell.samples))
    for first_shot, face in ((True, colour), (False, CARD)):
        shown = [
            (place, sample.skew_ms)
            for place, sample in zip(places, cell.samples, strict=True)
            if sample.first_shot is first_shot
        ]
        dots(axes, [x for x, _ in shown], [y for _, y in shown], edge=colour, face=face)
    whisker(axes, at + 0.75 * _WIDTH, [sample.skew_ms for sample in cell.samples])


def _times(axes: Axes, cell: Cell, at: float, colour: str) -> None:
    # Their lines beside the dots, on different sides: with loss they reach past each other.
    for values, face, side in ((cell.since_report_ms, CARD, -1), (cell.both_open_ms, colour, 1)):
        dots(axes, _beside(at, len(values)), values, edge=colour, face=face)
        whisker(axes, at + side * 0.75 * _WIDTH, values)


def _beside(at: float, number: int) -> list[float]:
    """Give each session a place of its own beside the others of its kind."""
    step = _WIDTH / max(1, number - 1)
    return [at - _WIDTH / 2 + step * n for n in range(number)]


def _loss_keys(found: Sequence[float]) -> list[Line2D]:
    return [
        key(f"{loss:g} % of packets lost", color=_COLOURS[number], **_PATCH)
        for number, loss in enumerate(found)
    ]

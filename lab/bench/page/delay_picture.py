"""The picture of success and time against delay: one colour for each share of lost packets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lab.bench.page import physics
from lab.bench.page.draw import BAR, DASHED, dot_key, dots, key, legend, picture, svg, whisker
from lab.bench.page.series import Cell, Session, by_delay, losses
from lab.diagram.svg_style import AMBER, BLUE, CARD, INK, MUTED, TEAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

TITLE = "Success and time to connect against delay"
_COLOURS = (BLUE, AMBER, TEAL)
_APART, _WIDTH = 0.4, 0.2
"""How far apart the series of one delay are, and how wide each one is; delays are 1 apart."""
_BAR: dict[str, Any] = {"color": INK, "linewidth": 0, **BAR}
_PATCH: dict[str, Any] = {"marker": "s", "markersize": 9, "linewidth": 0}
_EXPECTED: dict[str, Any] = {"marker": "_", "markersize": 18, "markeredgewidth": 1.5}
_EXPECTED |= {"color": MUTED, "linewidth": 0}
_CONNECTED: dict[str, Any] = {"marker": "s", "markersize": 9, "linewidth": 0}
_CONNECTED |= {"markerfacecolor": "none"}


def draw(sessions: Sequence[Session]) -> str:
    """Draw the picture.

    Args:
        sessions: of a report.

    Returns:
        The picture, as SVG.
    """
    with picture() as figure:
        shares, times = figure.subplots(2, 1, sharex=True, height_ratios=[2, 3])
        found = losses(sessions)
        cells = {loss: by_delay(sessions, loss) for loss in found}
        delays = sorted({cell.at_ms for row in cells.values() for cell in row})
        for number, loss in enumerate(found):
            shift = _APART * (number - (len(found) - 1) / 2)
            for cell in cells[loss]:
                at = delays.index(cell.at_ms) + shift
                _share(shares, cell, at, _COLOURS[number])
                _times(times, cell, at, _COLOURS[number])
        _frame(shares, times, delays)
        legend(figure, [*_loss_keys(found), key("median; 5th to 95th percentile", **_BAR)], 3)
        return svg(figure, TITLE)


def _frame(shares: Axes, times: Axes, delays: Sequence[float]) -> None:
    shares.set_title("How many")
    shares.set_ylabel("sessions, in %")
    shares.set_ylim(-5, 109)
    shares.legend(handles=_share_keys(), loc="lower right")
    times.set_title("How long")
    times.set_ylabel("time, in ms")
    times.set_yscale("log")
    times.yaxis.set_major_formatter("{x:g}")
    times.set_xticks(range(len(delays)), [f"{delay:g}" for delay in delays])
    times.set_xlim(-0.5, max(1, len(delays)) - 0.5)
    times.set_xlabel("delay one way, D, in ms")
    for place, delay in enumerate(delays):
        allowed = physics.later_open_ms(delay)
        times.plot([place - 0.42, place + 0.42], [allowed, allowed], zorder=1, **DASHED)
    times.legend(handles=_time_keys(), loc="lower right")
    for axes in (shares, times):
        axes.grid(axis="x", visible=False)
    shares.figure.align_ylabels()


def _share(axes: Axes, cell: Cell, at: float, colour: str) -> None:
    low, high = physics.interval(cell.first_shot, cell.runs)
    axes.plot([at, at], [100 * low, 100 * high], color=colour, linewidth=1.2, zorder=2)
    dots(axes, [at], [100 * cell.first_shot / cell.runs], edge=colour, face=colour)
    axes.plot([at], [100 * cell.connected / cell.runs], color=colour, zorder=3, **_CONNECTED)
    axes.plot([at], [100 * cell.within_delay / cell.runs], zorder=1, **_EXPECTED)


def _times(axes: Axes, cell: Cell, at: float, colour: str) -> None:
    # Their lines beside the dots, on different sides: with loss they reach past each other.
    for values, face, side in ((cell.since_report_ms, CARD, -1), (cell.both_open_ms, colour, 1)):
        step = _WIDTH / max(1, len(values) - 1)
        places = [at - _WIDTH / 2 + step * n for n in range(len(values))]
        dots(axes, places, values, edge=colour, face=face)
        whisker(axes, at + side * 0.75 * _WIDTH, values)


def _loss_keys(found: Sequence[float]) -> list[Line2D]:
    return [
        key(f"{loss:g} % of packets lost", color=_COLOURS[number], **_PATCH)
        for number, loss in enumerate(found)
    ]


def _share_keys() -> list[Line2D]:
    return [
        key("connected", color=INK, **_CONNECTED),
        dot_key("by the first shot; 95 % confidence", edge=INK, face=INK),
        key("first SYNs truly less than D apart", **_EXPECTED),
    ]


def _time_keys() -> list[Line2D]:
    return [
        dot_key("second report to connected and proven", edge=INK, face=CARD),
        dot_key("later first SYN to both open", edge=INK, face=INK),
        key("what packets allow: one round trip, 2 D", **DASHED),
    ]

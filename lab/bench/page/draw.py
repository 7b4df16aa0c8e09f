"""What the pictures of docs/benchmarks.md have in common; they are drawn by matplotlib.

Text stays text, and the same data give the same octets. Each picture has a card of its own as
background, so that it is the same on a light page and a dark one.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lab.bench.page.series import spread
from lab.diagram.svg_style import CARD, EDGE, FAINT, INK, MUTED

WIDTH_INCHES = 10.0
DASHED: dict[str, Any] = {"color": MUTED, "linewidth": 1.3, "linestyle": (0, (4, 2))}
"""A line that nobody measured: what packets allow."""
BAR: dict[str, Any] = {"marker": "_", "markersize": 11, "markeredgewidth": 2.2}
_DOT: dict[str, Any] = {"marker": "o", "markersize": 4.5, "linestyle": "none"}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "midair",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 11,
    "axes.facecolor": CARD,
    "axes.edgecolor": EDGE,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.5,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": FAINT,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "figure.facecolor": CARD,
    "savefig.facecolor": CARD,
}


@contextmanager
def picture(height_inches: float) -> Iterator[Figure]:
    """Make an empty picture; draw it and make its SVG within the context."""
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")


def svg(figure: Figure, title: str) -> str:
    """Return a picture as SVG."""
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    # matplotlib ends lines of path data with a blank.
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())


def dots(
    axes: Axes, places: Sequence[float], values: Sequence[float], *, edge: str, face: str
) -> None:
    """Draw single sessions."""
    axes.plot(places, values, alpha=0.7, zorder=2, **_dot(edge, face))


def whisker(axes: Axes, at: float, values: Iterable[float], colour: str = INK) -> None:
    """Draw the median of values as a bar, and from their 5th to their 95th percentile a line."""
    found = spread(values)
    if found is not None:
        low, median, high = found
        axes.plot([at, at], [low, high], color=colour, linewidth=1.2, zorder=3)
        axes.plot([at], [median], color=colour, zorder=3, **BAR)


def dot_key(label: str, *, edge: str, face: str) -> Line2D:
    """Make the legend's entry of :func:`dots`."""
    return Line2D([], [], label=label, **_dot(edge, face))


def key(label: str, **look: Any) -> Line2D:
    """Make the legend's entry of something else."""
    return Line2D([], [], label=label, **look)


def legend(figure: Figure, keys: Sequence[Line2D], columns: int) -> None:
    """Put the legend above everything."""
    figure.legend(handles=keys, loc="outside upper left", ncols=columns, handletextpad=0.4)


def _dot(edge: str, face: str) -> dict[str, Any]:
    return {**_DOT, "markerfacecolor": face, "markeredgecolor": edge}

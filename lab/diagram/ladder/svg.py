"""Ladders as one picture: a panel for each, in the look of the lab's other pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import dist, pi

from lab.diagram import strokes
from lab.diagram.labels import Labels, Point, Segment, beside
from lab.diagram.ladder.model import Flight, Ladder, Mark, Note
from lab.diagram.ladder.places import (
    HALF_NOTE,
    HEAD,
    LEFT,
    LOOP,
    MARGIN,
    PAUSE_LEFT,
    RING,
    ROW,
    TIMES,
    Places,
    loops,
)
from lab.diagram.ladder.rows import place
from lab.diagram.model import Kind, State
from lab.diagram.svg_frame import COLOURS, STATE_COLOURS, WIDTH
from lab.diagram.svg_style import (
    AMBER,
    CARD,
    FAINT,
    GREY,
    INK,
    MUTED,
    RED,
    Svg,
    text_width,
)

LANE_GAP = 270.0
"""Between two lanes, at least: room for the longest label."""
TOP, FOOT, GAP = 100.0, 62.0, 26.0
"""Above the first panel; below the last; between two."""
_SIZE = 12.5
_BOLD = 1.12
"""How much wider letters of weight 600 are, measured with DejaVu."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One ladder of a picture."""

    title: str
    ladder: Ladder


def draw_svg(panels: Sequence[Panel], *, title: str, caption: str) -> str:
    """Draw ladders as one picture.

    Args:
        panels: from top to bottom.
        title: the picture's heading.
        caption: one line under it.

    Returns:
        An SVG document that needs nothing else.
    """
    placed = [place(panel.ladder, margins=True) for panel in panels]
    heights = [HEAD + rows.height * ROW + GAP for rows in placed]
    gaps = max(len(panel.ladder.lanes) for panel in panels) - 1
    svg = Svg(max(WIDTH, LEFT + gaps * LANE_GAP + MARGIN), TOP + sum(heights) + FOOT)
    svg.text((40, 46), title, size=24, font_weight="700")
    svg.text((40, 74), caption, size=15, fill=MUTED)
    top = TOP
    for panel, height in zip(panels, heights, strict=True):
        _Panel(svg, panel, top).draw()
        top += height
    _legend(svg, panels, top)
    return svg.document(title=title, description=caption)


class _Panel:
    def __init__(self, svg: Svg, panel: Panel, top: float) -> None:
        self._svg, self._panel, self._top = svg, panel, top
        self._ladder = panel.ladder
        self._places = Places(panel.ladder, top=top, width=svg.width)
        self._rows = self._places.rows
        self._labels = Labels(self._places.obstacles())

    def draw(self) -> None:
        """Draw everything, from the back to the front."""
        if self._panel.title:
            self._svg.text((40, self._top + 18), self._panel.title, size=17, font_weight="600")
        self._axis()
        for x in self._places.at:
            self._svg.line((x, self._top + 60), (x, self._places.bottom), GREY, stroke_width=3)
        self._heads()
        self._breaks()
        for flight, top, bottom in self._rows.flights:
            if loops(flight):
                self._loop(flight, top, bottom)
        for flight, line in self._places.lines:
            self._arrow(flight, line)
        for at in self._places.crossings():
            ring = {"fill": AMBER, "fill_opacity": "0.22", "stroke": AMBER}
            self._svg.circle(at, RING, stroke_width=2, **ring)
        for note, row in self._rows.notes:
            self._note(note, row)
        self._label()

    def _heads(self) -> None:
        for lane, x in zip(self._ladder.lanes, self._places.at, strict=True):
            width = max(text_width(lane.name, 14.5), text_width(lane.detail, 12)) + 24
            left = min(max(x - width / 2, 12), self._svg.width - 12 - width)
            middle = left + width / 2
            y = self._top + 30
            self._svg.rect(left, y, width, 44, fill=INK, rx=8)
            where = (middle, y + (19 if lane.detail else 27))
            self._svg.text(
                where, lane.name, size=14.5, fill=CARD, anchor="middle", font_weight="700"
            )
            self._svg.text((middle, y + 36), lane.detail, size=12, fill=CARD, anchor="middle")

    def _axis(self) -> None:
        for row, t_ns in self._rows.times.items():
            y, text = self._places.y(row), f"{t_ns / 1e6:.{self._ladder.decimals}f}"
            self._svg.text((TIMES, y + 4), text, size=12, fill=MUTED, anchor="end")
            self._svg.line((TIMES + 6, y), (self._svg.width - 40, y), FAINT, stroke_width=1)
        self._svg.text((TIMES, self._top + HEAD - 22), "ms", size=12, fill=MUTED, anchor="end")

    def _arrow(self, flight: Flight, line: Segment) -> None:
        colour = COLOURS[flight.kind]
        strokes.arrow(self._svg, line, colour, _weight(flight), arrives=not flight.lost)
        if flight.lost:
            strokes.cross(self._svg, line[1])

    def _loop(self, flight: Flight, top: int, bottom: int) -> None:
        """Draw a packet that comes back to the line that it left."""
        colour, x = COLOURS[flight.kind], self._places.at[flight.source]
        side = -1 if flight.source == len(self._places.at) - 1 and len(self._places.at) > 1 else 1
        far = x + side * max(LOOP, text_width(flight.label, _SIZE) + 30)
        y0, y1 = self._places.y(top), self._places.y(bottom)
        corners = [(x, y0), (far, y0), (far, y1), (x + side * 13, y1)]
        for start, end in pairwise(corners):
            self._svg.line(start, end, colour, stroke_width=_weight(flight), stroke_linecap="round")
        strokes.head(self._svg, (x, y1), 0 if side < 0 else pi, colour)
        self._words(flight, ((x + far) / 2, y0 + 16), 0)

    def _label(self) -> None:
        """Write beside the lines, the longest words first: they have the fewest places."""
        labels = [
            (text_width(flight.label, _SIZE) * (1 if _is_plain(flight) else _BOLD), flight, line)
            for flight, line in self._places.lines
        ]
        labels.sort(key=lambda label: label[0] / dist(*label[2]), reverse=True)
        for width, flight, line in labels:
            spot = self._labels.take(beside(line, width, _SIZE), width, _SIZE)
            self._words(flight, spot.at, spot.angle)

    def _words(self, flight: Flight, at: Point, angle: float) -> None:
        self._svg.text(
            at,
            flight.label,
            size=_SIZE,
            fill=COLOURS[flight.kind],
            anchor="middle",
            angle=angle,
            halo=True,
            font_weight="400" if _is_plain(flight) else "600",
        )

    def _note(self, note: Note, row: int) -> None:
        y, (left, width) = self._places.y(row), self._places.box(note, row)
        ink, weight = CARD, "600"
        if note.mark is Mark.STATE:
            fill = STATE_COLOURS.get(State(note.text), GREY)
            self._svg.rect(left, y - 9.5, width, 19, fill=fill, rx=9.5)
        else:
            ink, weight = (RED if note.mark is Mark.FAILED else INK), "400"
            self._svg.rect(
                left,
                y - HALF_NOTE,
                width,
                2 * HALF_NOTE,
                fill=CARD,
                stroke=ink,
                rx=4,
                stroke_width=1.2,
            )
        at = (left + width / 2, y + 4.2)
        self._svg.text(at, note.text, size=12, fill=ink, anchor="middle", font_weight=weight)

    def _breaks(self) -> None:
        for row, waited in self._rows.idle:
            self._pause(row, f"{waited / 1e6:.0f} ms, nothing in the air")
        for fold, row in self._rows.folds:
            self._pause(row, fold.text)

    def _pause(self, row: int, text: str) -> None:
        places = self._places
        strokes.pause(self._svg, PAUSE_LEFT, places.y(row), text, places.middle)


def _legend(svg: Svg, panels: Sequence[Panel], top: float) -> None:
    names = {
        Kind.SYN: "SYN",
        Kind.SYN_ACK: "SYN·ACK",
        Kind.ACK: "ACK, FIN",
        Kind.FIN: "ACK, FIN",
        Kind.DATA: "data",
        Kind.RST: "RST",
        Kind.ICMP: "ICMP",
    }
    kinds = [flight.kind for panel in panels for flight in panel.ladder.flights]
    used = {names[kind]: COLOURS[kind] for kind in kinds if kind in names}
    x, y = 40.0, top + 30
    for name, colour in used.items():
        svg.line((x, y - 4), (x + 26, y - 4), colour, stroke_width=3)
        svg.text((x + 34, y), name, fill=MUTED)
        x += 34 + text_width(name, 13) + 26
    words = "time runs down, in order and not to scale"
    svg.text((x, y), words, fill=MUTED, font_style="italic")


def _is_plain(flight: Flight) -> bool:
    return flight.kind in (Kind.ACK, Kind.FIN)


def _weight(flight: Flight) -> float:
    return 1.4 if _is_plain(flight) else 2.4

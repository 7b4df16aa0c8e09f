"""Ladders as one picture: a panel for each, in the look of the lab's other pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import atan2, cos, pi, sin

from lab.diagram.labels import Labels, Point, Segment, beside, meeting
from lab.diagram.ladder.model import Flight, Ladder, Mark, Note
from lab.diagram.ladder.rows import place
from lab.diagram.layout import LOST_AT
from lab.diagram.model import Kind, State
from lab.diagram.svg_frame import COLOURS, STATE_COLOURS, WIDTH
from lab.diagram.svg_style import (
    AMBER,
    CARD,
    EDGE,
    FAINT,
    GREY,
    INK,
    MUTED,
    RED,
    Svg,
    text_width,
)

LEFT, TIMES = 220.0, 84.0
"""The first lane, and where the column of times ends."""
MARGIN = 176.0
"""Right of the last lane: room for its states."""
LANE_GAP = 270.0
"""Between two lanes, at least: room for the longest label."""
ROW, LEVEL = 27.0, 9.0
"""A row; how far a packet drawn within one falls: it takes time all the same."""
TOP, HEAD, FOOT, GAP = 100.0, 92.0, 62.0, 26.0
"""Above the first panel; above a panel's first row; below the last; between two."""
_PILL, _SIZE, _RING = 112.0, 12.5, 11.0
_LOOP = 380.0
_BOLD = 1.12
"""How much wider letters of weight 600 are, measured with DejaVu."""
_NOTE = 10.0
"""Half the height of a note."""


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
        self._ladder, self._rows = panel.ladder, place(panel.ladder, margins=True)
        count = len(panel.ladder.lanes)
        self._far = svg.width - MARGIN
        step = (self._far - LEFT) / max(1, count - 1)
        # A lane alone has its packets on its right: it stands where both are in the middle.
        first = LEFT if count > 1 else (svg.width - _LOOP + _PILL) / 2
        self._at = [first + step * n for n in range(count)]
        self._bottom = self._y(self._rows.height - 1) + 14
        lines = [self._segment(*placed) for placed in self._rows.flights if not _loops(placed[0])]
        self._lines = lines
        posts = [((x, top), (x, self._bottom)) for x in self._at]
        boxes = [edge for note, row in self._rows.notes for edge in self._edges(note, row)]
        rings = [
            ((x - 2 * _RING, y + dy), (x + 2 * _RING, y + dy))
            for x, y in self._crossings()
            for dy in (-_RING, _RING)
        ]
        self._labels = Labels([*lines, *posts, *boxes, *rings])

    def _y(self, row: float) -> float:
        return self._top + HEAD + row * ROW

    def draw(self) -> None:
        """Draw everything, from the back to the front."""
        if self._panel.title:
            self._svg.text((40, self._top + 18), self._panel.title, size=17, font_weight="600")
        self._axis()
        for x in self._at:
            self._svg.line((x, self._top + 60), (x, self._bottom), GREY, stroke_width=3)
        self._heads()
        self._breaks()
        for flight, top, bottom in self._rows.flights:
            if _loops(flight):
                self._loop(flight, top, bottom)
            else:
                self._arrow(flight, self._segment(flight, top, bottom))
        for at in self._crossings():
            ring = {"fill": AMBER, "fill_opacity": "0.22", "stroke": AMBER}
            self._svg.circle(at, _RING, stroke_width=2, **ring)
        for note, row in self._rows.notes:
            self._note(note, row)
        for flight, top, bottom in self._rows.flights:
            if not _loops(flight):
                self._label(flight, self._segment(flight, top, bottom))

    def _heads(self) -> None:
        for lane, x in zip(self._ladder.lanes, self._at, strict=True):
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
            y, text = self._y(row), f"{t_ns / 1e6:.{self._ladder.decimals}f}"
            self._svg.text((TIMES, y + 4), text, size=12, fill=MUTED, anchor="end")
            self._svg.line((TIMES + 6, y), (self._svg.width - 40, y), FAINT, stroke_width=1)
        self._svg.text((TIMES, self._top + HEAD - 22), "ms", size=12, fill=MUTED, anchor="end")

    def _segment(self, flight: Flight, top: int, bottom: int) -> Segment:
        x0, x1 = self._at[flight.source], self._at[flight.target]
        if flight.lost:
            x1 = x0 + (x1 - x0) * LOST_AT
        return (x0, self._y(top)), (x1, self._y(bottom) + (LEVEL if top == bottom else 0))

    def _arrow(self, flight: Flight, line: Segment) -> None:
        colour, (start, end) = COLOURS[flight.kind], line
        angle = atan2(end[1] - start[1], end[0] - start[0])
        stop = end if flight.lost else _along(end, angle, -13)
        self._svg.line(start, stop, colour, stroke_width=_weight(flight))
        if flight.lost:
            for slope in (-7, 7):
                ends = ((end[0] - 7, end[1] - slope), (end[0] + 7, end[1] + slope))
                self._svg.line(*ends, RED, stroke_width=3)
        else:
            self._head(end, angle, colour)

    def _head(self, end: Point, angle: float, colour: str) -> None:
        tip = _along(end, angle, -3)
        wings = [_along(_along(tip, angle, -12), angle + pi / 2, w) for w in (-5, 5)]
        self._svg.polygon([tip, *wings], colour)

    def _loop(self, flight: Flight, top: int, bottom: int) -> None:
        """Draw a packet that comes back to the line that it left."""
        colour, x = COLOURS[flight.kind], self._at[flight.source]
        side = -1 if flight.source == len(self._at) - 1 and len(self._at) > 1 else 1
        far = x + side * max(_LOOP, text_width(flight.label, _SIZE) + 30)
        y0, y1 = self._y(top), self._y(bottom)
        corners = [(x, y0), (far, y0), (far, y1), (x + side * 13, y1)]
        for start, end in pairwise(corners):
            self._svg.line(start, end, colour, stroke_width=_weight(flight), stroke_linecap="round")
        self._head((x, y1), 0 if side < 0 else pi, colour)
        self._words(flight, ((x + far) / 2, y0 + 16), 0)

    def _label(self, flight: Flight, line: Segment) -> None:
        width = text_width(flight.label, _SIZE) * (1 if _is_plain(flight) else _BOLD)
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

    def _box(self, note: Note, row: int) -> tuple[float, float]:
        """Return left edge and width of a note: states outside where the lane is an outer one."""
        x, first, last = self._at[note.lane], note.lane == 0, note.lane == len(self._at) - 1
        if note.mark is Mark.STATE:
            return (x - 12 - _PILL if first else x + 12), _PILL
        width = text_width(note.text, 12) + 16
        left, right = x - 10 - width, x + 10
        if first or last:
            return (right if first else left), width
        # Between two lanes it stands where fewer packets pass.
        return min((right, left), key=lambda at: self._passing(at, width, row)), width

    def _passing(self, left: float, width: float, row: int) -> int:
        edges = _edges(left, width, self._y(row))
        return sum(any(meeting(edge, line) for edge in edges) for line in self._lines)

    def _edges(self, note: Note, row: int) -> list[Segment]:
        return _edges(*self._box(note, row), self._y(row))

    def _note(self, note: Note, row: int) -> None:
        y, (left, width) = self._y(row), self._box(note, row)
        ink, weight = CARD, "600"
        if note.mark is Mark.STATE:
            fill = STATE_COLOURS.get(State(note.text), GREY)
            self._svg.rect(left, y - 9.5, width, 19, fill=fill, rx=9.5)
        else:
            ink, weight = (RED if note.mark is Mark.FAILED else INK), "400"
            self._svg.rect(
                left, y - _NOTE, width, 2 * _NOTE, fill=CARD, stroke=ink, rx=4, stroke_width=1.2
            )
        at = (left + width / 2, y + 4.2)
        self._svg.text(at, note.text, size=12, fill=ink, anchor="middle", font_weight=weight)

    def _crossings(self) -> list[Point]:
        """Return the points where two SYNs pass each other."""
        lines = [
            self._segment(*placed)
            for placed in self._rows.flights
            if placed[0].kind is Kind.SYN and not _loops(placed[0])
        ]
        pairs = ((one, two) for one, two in combinations(lines, 2) if one[0][0] != two[0][0])
        found = (meeting(*pair) for pair in pairs)
        return [at for at in found if at is not None]

    def _breaks(self) -> None:
        last = self._at[-1] if len(self._at) > 1 else self._at[0] + _LOOP
        middle = (self._at[0] + last) / 2
        for row, waited in self._rows.idle:
            self._pause(self._y(row), f"{waited / 1e6:.0f} ms, nothing in the air", middle)
        for fold, row in self._rows.folds:
            self._pause(self._y(row), fold.text, middle)

    def _pause(self, y: float, text: str, middle: float) -> None:
        self._svg.rect(TIMES + 6, y - 11, self._svg.width - 46 - TIMES, 22, fill=CARD)
        for edge in (y - 11, y + 11):
            ends = ((TIMES + 6, edge), (self._svg.width - 40, edge))
            self._svg.line(*ends, EDGE, stroke_width=1.5, stroke_dasharray="2 5")
        self._svg.text((middle, y + 4), text, fill=MUTED, anchor="middle")


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


def _loops(flight: Flight) -> bool:
    return flight.source == flight.target


def _edges(left: float, width: float, y: float) -> list[Segment]:
    """Return the upper and the lower edge of a note."""
    return [((left, y + dy), (left + width, y + dy)) for dy in (-_NOTE, _NOTE)]


def _is_plain(flight: Flight) -> bool:
    return flight.kind in (Kind.ACK, Kind.FIN)


def _weight(flight: Flight) -> float:
    return 1.4 if _is_plain(flight) else 2.4


def _along(point: Point, angle: float, distance: float) -> Point:
    return point[0] + distance * cos(angle), point[1] + distance * sin(angle)

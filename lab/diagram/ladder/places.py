"""Where everything of a ladder's picture is: life lines, packets, notes, and what is in the way."""

from __future__ import annotations

from itertools import combinations

from lab.diagram.labels import Point, Segment, meeting
from lab.diagram.ladder.model import Flight, Ladder, Mark, Note
from lab.diagram.ladder.rows import place
from lab.diagram.layout import LOST_AT
from lab.diagram.model import Kind
from lab.diagram.strokes import pause_edges
from lab.diagram.svg_style import text_width

LEFT, TIMES = 220.0, 84.0
"""The first lane, and where the column of times ends."""
MARGIN = 176.0
"""Right of the last lane: room for its states."""
ROW, LEVEL = 27.0, 9.0
"""A row; how far a packet drawn within one falls: it takes time all the same."""
HEAD, HEAD_BOTTOM = 92.0, 74.0
"""Above a panel's first row; where the names of its lanes end."""
PILL, RING, LOOP = 112.0, 11.0, 380.0
"""Width of a state, radius of what marks a crossing, width of a packet that comes back."""
HALF_NOTE = 10.0
"""Half the height of a note."""
PAUSE_LEFT = TIMES + 6


def loops(flight: Flight) -> bool:
    """Tell whether a packet comes back to the line that it left."""
    return flight.source == flight.target


class Places:
    """The places of one panel.

    Attributes:
        rows: which row everything is in.
        at: of each lane, from the left.
        bottom: where the lanes end.
        lines: each packet that goes from lane to lane, and its way.
    """

    def __init__(self, ladder: Ladder, *, top: float, width: float) -> None:
        """Find the places.

        Args:
            ladder: what is drawn.
            top: of the panel.
            width: of the picture.
        """
        self.rows = place(ladder, margins=True)
        self._top, self._width = top, width
        count = len(ladder.lanes)
        step = (width - MARGIN - LEFT) / max(1, count - 1)
        # A lane alone has its packets on its right: it stands where both are in the middle.
        first = LEFT if count > 1 else (width - LOOP + PILL) / 2
        self.at = [first + step * n for n in range(count)]
        self.bottom = self.y(self.rows.height - 1) + 14
        self.lines = [
            (way[0], self._segment(*way)) for way in self.rows.flights if not loops(way[0])
        ]

    @property
    def middle(self) -> float:
        """Halfway between the outermost lines."""
        last = self.at[-1] if len(self.at) > 1 else self.at[0] + LOOP
        return (self.at[0] + last) / 2

    def y(self, row: float) -> float:
        """Return the middle of a row."""
        return self._top + HEAD + row * ROW

    def _segment(self, flight: Flight, top: int, bottom: int) -> Segment:
        x0, x1 = self.at[flight.source], self.at[flight.target]
        if flight.lost:
            x1 = x0 + (x1 - x0) * LOST_AT
        return (x0, self.y(top)), (x1, self.y(bottom) + (LEVEL if top == bottom else 0))

    def box(self, note: Note, row: int) -> tuple[float, float]:
        """Return left edge and width of a note: states outside where the lane is an outer one."""
        x, first, last = self.at[note.lane], note.lane == 0, note.lane == len(self.at) - 1
        if note.mark is Mark.STATE:
            return (x - 12 - PILL if first else x + 12), PILL
        width = text_width(note.text, 12) + 16
        left, right = x - 10 - width, x + 10
        if first or last:
            return (right if first else left), width
        # Between two lanes it stands where fewer packets pass.
        return min((right, left), key=lambda at: self._passing(at, width, row)), width

    def _passing(self, left: float, width: float, row: int) -> int:
        edges = _rulers(left, width, self.y(row))
        return sum(any(meeting(edge, line) for edge in edges) for _, line in self.lines)

    def crossings(self) -> list[Point]:
        """Return the points where two SYNs pass each other."""
        lines = [line for flight, line in self.lines if flight.kind is Kind.SYN]
        pairs = ((one, two) for one, two in combinations(lines, 2) if one[0][0] != two[0][0])
        found = (meeting(*pair) for pair in pairs)
        return [at for at in found if at is not None]

    def obstacles(self) -> list[Segment]:
        """Return what a label should not be written on."""
        posts = [((x, self._top), (x, self.bottom)) for x in self.at]
        heads = self._top + HEAD_BOTTOM
        boxes = [
            edge
            for note, row in self.rows.notes
            for edge in _rulers(*self.box(note, row), self.y(row))
        ]
        rings = [
            ((x - 2 * RING, y + dy), (x + 2 * RING, y + dy))
            for x, y in self.crossings()
            for dy in (-RING, RING)
        ]
        stops = [row for row, _ in self.rows.idle] + [row for _, row in self.rows.folds]
        pauses = [
            edge for row in stops for edge in pause_edges(self._width, PAUSE_LEFT, self.y(row))
        ]
        lines = [line for _, line in self.lines]
        return [*lines, *posts, *boxes, *rings, *pauses, ((0, heads), (self._width, heads))]


def _rulers(left: float, width: float, y: float) -> list[Segment]:
    """Return lines along a note that leave no room for a label in it: its edges and its middle."""
    return [((left, y + dy), (left + width, y + dy)) for dy in (-HALF_NOTE, 0, HALF_NOTE)]

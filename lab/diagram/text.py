"""The space-time diagram in characters: time down, A left, B right, packets as slanted lines."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from lab.diagram.canvas import Canvas, Ends
from lab.diagram.crossing import Crossing, crossing
from lab.diagram.layout import TEXT, Layout, fit, span
from lab.diagram.model import Arrow, Fate, Kind, Side, SpaceTime, State

MIN_WIDTH, MAX_WIDTH = 72, 110
"""Below, margins and labels leave no room for the lines; above, the lines get too flat."""
HEIGHT = 31
"""Rows wanted, the head not counted: the whole fits a window of 40 lines."""

_BOLD, _DIM, _STATE = "1", "2", "1;32"
STYLES = {
    Kind.SYN: "1;36",
    Kind.SYN_ACK: "36",
    Kind.ACK: "2",
    Kind.DATA: "1;33",
    Kind.FIN: "35",
    Kind.RST: "31",
    Kind.ICMP: "31",
}
"""SGR parameters (ECMA-48): the terminal's own sixteen colours, which fit its background."""

_STATE_WIDTH = max(len(s.value) for s in State)


def draw_text(model: SpaceTime, *, width: int = 80, color: bool = False) -> str:
    """Draw a flow in characters.

    Args:
        model: The flow.
        width: Columns of the terminal; 72 to 110 are used.
        color: Whether to colour it by SGR sequences; it can be read without.

    Returns:
        Lines, each ended by a newline, none wider than `width`.
    """
    if not model.arrows:
        return "No packet of the two hosts is in both captures.\n"
    drawing = _Drawing(model, max(MIN_WIDTH, min(width, MAX_WIDTH)))
    lines = drawing.draw(_choose(model, drawing))
    return "".join(line + "\n" for line in lines.rows(color=color))


def _choose(model: SpaceTime, drawing: _Drawing) -> Layout:
    """Of the finest layouts take one in which the two SYNs cross within a row: a visible X."""
    layouts = fit(model, HEIGHT, TEXT)
    best = [one for one in layouts if one.height >= layouts[0].height * 0.75]
    return next((one for one in best if drawing.shows_crossing(one)), layouts[0])


class _Drawing:
    """The columns of one drawing, and the canvas that fills."""

    def __init__(self, model: SpaceTime, width: int) -> None:
        self._model = model
        self._crossing: Crossing = crossing(model)
        times = [t for a in model.arrows for t in (a.start_ns, a.end_ns)]
        self._time_width = max(len(self._ms(t)) for t in (min(times), max(times)))
        self._left = self._time_width + 1 + _STATE_WIDTH + 1
        self._right = width - 1 - self._left

    def shows_crossing(self, layout: Layout) -> bool:
        """Whether the two SYNs' lines meet in one row."""
        pair = self._syn_lines(layout)
        return pair is None or Canvas().centre(*pair)

    def draw(self, layout: Layout) -> Canvas:
        """Draw everything, from the back to the front."""
        canvas = Canvas()
        # The head takes two rows; rows count from below it.
        for arrow, top, bottom in layout.arrows:
            (start, end) = self._ends(arrow, top, bottom)
            canvas.line(start, end, STYLES[arrow.kind])
        self._cross_all(canvas, layout)
        for arrow, top, bottom in layout.arrows:
            self._tip(canvas, arrow, self._ends(arrow, top, bottom))
        self._margins(canvas, layout)
        self._between(canvas, layout)
        for arrow, top, bottom in layout.arrows:
            self._label(canvas, arrow, self._ends(arrow, top, bottom))
        self._head(canvas)
        self._legend(canvas, layout)
        return canvas

    def _cross_all(self, canvas: Canvas, layout: Layout) -> None:
        lines: dict[Side, list[tuple[Arrow, Ends]]] = {Side.A: [], Side.B: []}
        for arrow, top, bottom in layout.arrows:
            lines[arrow.sender].append((arrow, self._ends(arrow, top, bottom)))
        for (a, one), (b, two) in product(lines[Side.A], lines[Side.B]):
            if one[1] == two[0] or two[1] == one[0]:
                continue  # a router's answer starts where its question ended
            both_syn = a.kind is b.kind is Kind.SYN
            canvas.cross(one, two, STYLES[a.kind], STYLES[Kind.SYN] if both_syn else _DIM)

    def _ms(self, t_ns: int) -> str:
        return f"{t_ns / 1e6:.{self._model.decimals}f}"

    def _ends(self, arrow: Arrow, top: float, bottom: float) -> Ends:
        first, room = self._left + 1, self._right - self._left - 2
        x0, x1 = span(arrow)
        return (int(top) + 2, first + round(x0 * room)), (int(bottom) + 2, first + round(x1 * room))

    def _syn_lines(self, layout: Layout) -> tuple[Ends, Ends] | None:
        if not self._crossing.crossed or self._crossing.syns is None:
            return None
        a, b = self._crossing.syns
        ends = {id(arrow): self._ends(arrow, top, low) for arrow, top, low in layout.arrows}
        if id(a) not in ends or id(b) not in ends:
            return None
        return ends[id(a)], ends[id(b)]

    def _tip(self, canvas: Canvas, arrow: Arrow, ends: Ends) -> None:
        heads = {Side.A: "►", Side.B: "◄"}
        tips = {Fate.ARRIVED: heads[arrow.sender], Fate.REFUSED: "■", Fate.LOST: "×"}
        canvas.write(*ends[1], tips[arrow.fate], STYLES[arrow.kind])
        if arrow.from_router:
            canvas.write(*ends[0], "■", STYLES[arrow.kind])

    def _margins(self, canvas: Canvas, layout: Layout) -> None:
        """Draw the two life lines, and beside them when a host's state changes, and times."""
        marks = {int(row) for row, _, _ in layout.gaps}
        for row in range(int(layout.height) + 1):
            for column in (self._left, self._right):
                canvas.write(row + 2, column, "⋮" if row in marks else "┃", _DIM)
        for (side, t_ns), at in layout.rows.items():
            self._beside(canvas, int(at) + 2, side, self._ms(t_ns), 0, _DIM)
        for change in self._model.changes:
            at = layout.rows.get((change.side, change.t_ns), -1.0)
            if at >= 0:
                style = _STATE if change.state is State.ESTABLISHED else _BOLD
                self._beside(canvas, int(at) + 2, change.side, change.state.value, 1, style)

    def _beside(self, canvas: Canvas, row: int, side: Side, text: str, at: int, style: str) -> None:
        """Write in a margin: field 0 is the time, outside, field 1 the state, at the line."""
        if side is Side.A:
            start = 0 if at == 0 else self._time_width + 1
            width = self._time_width if at == 0 else _STATE_WIDTH
            canvas.write(row, start + width - len(text), text, style)
        else:
            start = self._right + 2 + (0 if at else _STATE_WIDTH + 1)
            pad = 0 if at else self._time_width - len(text)
            canvas.write(row, start + pad, text, style)

    def _between(self, canvas: Canvas, layout: Layout) -> None:
        notes = [(int(row), f"⋮ {self._span(end - start)} ⋮") for row, start, end in layout.gaps]
        notes += [(int(row), f"⋮ {fold.label}") for fold, row in layout.folds]
        for row, text in notes:
            middle = (self._left + self._right - len(text)) // 2
            room = range(self._left + 2, self._right - len(text) - 1)
            offsets = sorted(range(-middle, middle + 1), key=abs)
            nearest = (middle + offset for offset in offsets if middle + offset in room)
            free = (c for c in nearest if canvas.is_free(row + 2, c - 1, len(text) + 2))
            canvas.write(row + 2, next(free, middle), text, _DIM)

    def _span(self, length_ns: int) -> str:
        return f"{length_ns / 1e6:.{0 if length_ns > 10_000_000 else 1}f} ms"

    def _label(self, canvas: Canvas, arrow: Arrow, ends: Ends) -> None:
        """Write the label where there is room beside the line, nearest to the sender."""
        texts = [f"{arrow.label} from a router"] if arrow.from_router else []
        for text in [*texts, arrow.label]:
            for row, column in _places(ends, len(text)):
                inside = self._left + 1 < column and column + len(text) < self._right - 1
                if inside and canvas.is_free(row, column - 1, len(text) + 2):
                    canvas.write(row, column, text, STYLES[arrow.kind])
                    return
        (top, left), (bottom, right) = ends
        # No room: in the line itself.
        column = (left + right - len(text)) // 2
        canvas.write((top + bottom) // 2, column, text, STYLES[arrow.kind])

    def _legend(self, canvas: Canvas, layout: Layout) -> None:
        fates = {arrow.fate for arrow, _, _ in layout.arrows}
        routers = any(arrow.from_router for arrow, _, _ in layout.arrows)
        words = ["■ refused by a router"] if routers or Fate.REFUSED in fates else []
        words += ["× lost"] if Fate.LOST in fates else []
        text = "   ".join(words)
        column = (self._left + self._right - len(text)) // 2
        canvas.write(int(layout.height) + 3, column, text, _DIM)

    def _head(self, canvas: Canvas) -> None:
        names = self._model.names
        canvas.write(0, max(0, self._left - len(names[0]) // 2), names[0], _BOLD)
        canvas.write(0, self._right - len(names[1]) // 2, names[1], _BOLD)
        canvas.write(1, self._time_width - 2, "ms", _DIM)
        canvas.write(1, self._right + 2 + _STATE_WIDTH + 1 + self._time_width - 2, "ms", _DIM)
        for column in (self._left, self._right):
            canvas.write(1, column, "┃", _DIM)


def _places(ends: Ends, length: int) -> Iterator[tuple[int, int]]:
    """Yield rows and columns for a label beside a line, the best first."""
    (top, left), (bottom, right) = ends
    count = bottom - top + 1
    reach = right - left
    for row in range(top, bottom + 1):
        # The line's own columns in that row; above it is where it will be, below where it was.
        near = left + reach * (row - top) // count
        far = left + reach * (row - top + 1) // count
        low, high = min(near, far), max(near, far)
        ahead, behind = (high + 2, low - length - 1)
        yield from ((row, c) for c in ((ahead, behind) if reach > 0 else (behind, ahead)))

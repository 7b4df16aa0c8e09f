"""A ladder in characters: time down, a column for each life line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from lab.diagram.canvas import Canvas, Ends
from lab.diagram.ladder.model import Flight, Ladder, Mark, Note
from lab.diagram.ladder.rows import place
from lab.diagram.layout import LOST_AT
from lab.diagram.model import Kind, State
from lab.diagram.text import STYLES

MIN_WIDTH, MAX_WIDTH = 72, 110
_BOLD, _DIM, _GOOD, _BAD = "1", "2", "1;32", "31"
_HEAD = 3
"""Rows of the head: name, detail, the beginning of the line."""
_LOOP = 38
"""Columns that a packet goes away from the line that it comes back to, at most."""


def draw_text(ladder: Ladder, *, width: int = 80, color: bool = False) -> str:
    """Draw a ladder in characters.

    Args:
        ladder: what to draw.
        width: columns of the terminal; 72 to 110 are used.
        color: whether to colour it by SGR sequences; it can be read without.

    Returns:
        Lines, each ended by a newline, none wider than `width`.
    """
    drawing = _Drawing(ladder, max(MIN_WIDTH, min(width, MAX_WIDTH)))
    return "".join(f"{line}\n" for line in drawing.draw().rows(color=color))


class _Drawing:
    def __init__(self, ladder: Ladder, width: int) -> None:
        self._ladder, self._rows = ladder, place(ladder)
        self._canvas = Canvas()
        self._times = {row: self._ms(t) for row, t in self._rows.times.items()}
        left = max([2, *(len(text) for text in self._times.values())]) + 2
        count = len(ladder.lanes)
        self._width = width
        self._at = [left + (width - 2 - left) * n // max(1, count - 1) for n in range(count)]

    def draw(self) -> Canvas:
        """Draw everything, from the back to the front."""
        for flight, top, bottom in self._rows.flights:
            self._line(flight, top + _HEAD, bottom + _HEAD)
        self._cross()
        for at in self._at:
            for row in range(2, self._rows.height + _HEAD):
                self._put_line(row, at)
        for flight, _, bottom in self._rows.flights:
            self._tip(flight, bottom + _HEAD)
        self._between()
        for note, row in self._rows.notes:
            self._note(note, row + _HEAD)
        for flight, top, bottom in self._rows.flights:
            if top != bottom and flight.source != flight.target:
                self._label(flight, top + _HEAD, bottom + _HEAD)
        self._head()
        return self._canvas

    def _ms(self, t_ns: int) -> str:
        return f"{t_ns / 1e6:.{self._ladder.decimals}f}"

    def _put_line(self, row: int, at: int) -> None:
        # Packets pass in front of lines that they do not stop at.
        if self._canvas.is_free(row, at, 1):
            self._canvas.write(row, at, "┃", _DIM)

    def _ends(self, flight: Flight) -> tuple[int, int]:
        x0, x1 = self._at[flight.source], self._at[flight.target]
        step = 1 if x1 > x0 else -1
        if flight.lost:
            x1 = x0 + round((x1 - x0) * LOST_AT)
        return x0 + step, x1 - step

    def _line(self, flight: Flight, top: int, bottom: int) -> None:
        style = STYLES[flight.kind]
        if flight.source == flight.target:
            self._loop(flight, top, bottom)
            return
        x0, x1 = self._ends(flight)
        if top != bottom:
            self._canvas.line((top, x0), (bottom, x1), style)
            return
        low, high = min(x0, x1), max(x0, x1)
        text = _fitting(flight, high - low - 5)
        self._canvas.write(top, low, f" {text} ".center(high - low + 1, "─"), style)

    def _cross(self) -> None:
        """Mark where slanted lines cross."""
        lines: tuple[list[tuple[Flight, Ends]], list[tuple[Flight, Ends]]] = ([], [])
        for flight, top, bottom in self._rows.flights:
            if top != bottom and flight.source != flight.target:
                (x0, x1), row = self._ends(flight), top + _HEAD
                lines[x1 < x0].append((flight, ((row, x0), (bottom + _HEAD, x1))))
        for (one, right), (two, left) in product(*lines):
            both = one.kind is two.kind is Kind.SYN
            self._canvas.cross(right, left, STYLES[one.kind], STYLES[Kind.SYN] if both else _DIM)

    def _loop(self, flight: Flight, top: int, bottom: int) -> None:
        """Draw a packet that comes back to the line that it left, away from the other lines."""
        at, style = self._at[flight.source], STYLES[flight.kind]
        last = flight.source == len(self._at) - 1 and len(self._at) > 1
        room = at - self._at[-2] - 2 if last else self._width - at - 2
        size = min(room, max(_LOOP, len(flight.label) + 5))
        text = f" {_fitting(flight, size - 5)} ".center(size - 1, "─")
        back = "─" * (size - 2)
        rows = (f"╭{text}", f"╰{back}►") if last else (f"{text}╮", f"◄{back}╯")
        start = at - size if last else at + 1
        for row in range(top + 1, bottom):
            self._canvas.write(row, start if last else at + size, "│", style)
        self._canvas.write(top, start, rows[0], style)
        self._canvas.write(bottom, start, rows[1], style)

    def _tip(self, flight: Flight, row: int) -> None:
        if flight.source == flight.target:
            return
        x0, x1 = self._ends(flight)
        tip = "×" if flight.lost else "►" if x1 > x0 else "◄"
        self._canvas.write(row, x1, tip, STYLES[flight.kind])

    def _between(self) -> None:
        for row, text in self._times.items():
            self._canvas.write(row + _HEAD, self._at[0] - 2 - len(text), text, _DIM)
        for row, waited in self._rows.idle:
            for at in self._at:
                self._canvas.write(row + _HEAD, at, "⋮", _DIM)
            text = f"⋮ {waited / 1e6:.0f} ms ⋮"
            self._canvas.write(row + _HEAD, self._middle(text), text, _DIM)
        for fold, row in self._rows.folds:
            text = f"⋮ {fold.text} ⋮"
            self._canvas.write(row + _HEAD, self._middle(text), text, _DIM)

    def _middle(self, text: str) -> int:
        far = self._at[-1] if len(self._at) > 1 else self._at[0] + _LOOP
        return max(self._at[0] + 2, (self._at[0] + far - len(text)) // 2)

    def _note(self, note: Note, row: int) -> None:
        style = _BAD if note.mark is Mark.FAILED else _BOLD
        if note.text == State.ESTABLISHED.value:
            style = _GOOD
        at, last = self._at[note.lane], note.lane == len(self._at) - 1 and note.lane > 0
        text = note.text if note.mark is Mark.STATE else f"* {note.text}"
        # Blanks around it cut through lines that pass behind.
        self._canvas.write(row, at - 2 - len(text) if last else at + 1, f" {text} ", style)

    def _label(self, flight: Flight, top: int, bottom: int) -> None:
        """Write beside a slanted line where there is room, or else in it."""
        (x0, x1), text = self._ends(flight), flight.label
        for row, column in _places(x0, x1, top, bottom, len(text)):
            inside = min(self._at) < column - 1 and column + len(text) < max(self._at)
            if inside and self._canvas.is_free(row, column - 1, len(text) + 2):
                self._canvas.write(row, column, text, STYLES[flight.kind])
                return
        column = (x0 + x1 - len(text)) // 2
        self._canvas.write((top + bottom) // 2, column, f" {text} ", STYLES[flight.kind])

    def _head(self) -> None:
        self._canvas.write(2, 0, "ms".rjust(self._at[0] - 2), _DIM)
        for number, (lane, at) in enumerate(zip(self._ladder.lanes, self._at, strict=True)):
            for row, text in enumerate((lane.name, lane.detail)):
                last = number == len(self._at) - 1 and number > 0
                start = at if number == 0 else at + 1 - len(text) if last else at - len(text) // 2
                self._canvas.write(row, max(0, start), text, "" if row else _BOLD)


def _fitting(flight: Flight, size: int) -> str:
    text = flight.label if len(flight.label) <= size else flight.short
    return text if len(text) <= size else f"{text[: max(0, size - 1)]}…"


def _places(x0: int, x1: int, top: int, bottom: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield rows and columns for a label beside a slanted line, those near its start first."""
    count = bottom - top + 1
    for row in range(top, bottom + 1):
        near, far = (x0 + (x1 - x0) * (row - top + step) // count for step in (0, 1))
        ahead, behind = max(near, far) + 2, min(near, far) - length - 1
        yield from ((row, c) for c in ((ahead, behind) if x1 > x0 else (behind, ahead)))

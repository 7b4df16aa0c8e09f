"""A grid of coloured characters with slanted lines on it. Knows nothing of packets."""

from __future__ import annotations

from collections.abc import Iterator

_RESET = "\x1b[0m"
Ends = tuple[tuple[int, int], tuple[int, int]]
"""Row and column of the upper end of a line, and of the lower."""
DOWN, UP, CROSS = "\u2572", "\u2571", "\u2573"
"""Box drawings light diagonal: falling, rising and both. Spelt as numbers since they look like
ASCII characters, which they are not."""
_SLANTS = {DOWN: UP, UP: DOWN}


class Canvas:
    """Characters by row and column, each with an SGR colour ("" for none)."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], tuple[str, str]] = {}

    def is_free(self, row: int, column: int, width: int) -> bool:
        """Whether `width` cells from there are empty."""
        return all((row, c) not in self._cells for c in range(column, column + width))

    def write(self, row: int, column: int, text: str, style: str = "") -> None:
        """Put text there, whatever is under it."""
        for offset, char in enumerate(text):
            self._cells[row, column + offset] = (char, style)

    def line(self, start: tuple[int, int], end: tuple[int, int], style: str) -> None:
        """Draw a slanted line: in each row a run of ``─``, at its end a diagonal.

        Args:
            start: Row and column of the upper end.
            end: Of the lower end; the last cell is left to the caller's arrow head.
            style: SGR parameters.
        """
        runs = list(_runs(start, end))
        slant = DOWN if end[1] > start[1] else UP
        for row, first, last in runs:
            for column in range(first, last + 1):
                step = column == (last if slant == DOWN else first)
                bends = step and row != end[0]
                self._ink(row, column, slant if bends else "─", style)

    def _ink(self, row: int, column: int, char: str, style: str) -> None:
        under, known = self._cells.get((row, column), ("", ""))
        if under and _SLANTS.get(under) == char:
            char = CROSS
        elif under in _SLANTS and char == "─":
            char, style = under, known
        self._cells[row, column] = (char, style)

    def cross(self, one: Ends, two: Ends, style: str = "", mark: str = "") -> bool:
        """Mark where two lines cross, if they do.

        Args:
            one: Upper and lower end of a line going right.
            two: Of one going left.
            style: SGR parameters of the lines there.
            mark: Of the mark.

        Returns:
            Whether they cross.
        """
        other = {row: (first, last) for row, first, last in _runs(*two)}
        for row, first, last in _runs(*one):
            if row not in other:
                continue
            low, high = max(first, other[row][0]), min(last, other[row][1])
            if low > high and last + 1 == other[row][0] and row + 1 in other:
                # They pass between this row and the next.
                low, high = last, last + 1
            if low <= high:
                self.write(row, low, "─" * (high - low + 1), style)
                self.write(row, (low + high) // 2, CROSS, mark)
                return True
        return False

    def centre(self, one: Ends, two: Ends) -> bool:
        """Whether two lines cross within a row, which looks best."""
        other = {row: (first, last) for row, first, last in _runs(*two)}
        return any(
            row in other and max(first, other[row][0]) <= min(last, other[row][1])
            for row, first, last in _runs(*one)
        )

    def rows(self, *, color: bool) -> list[str]:
        """Return the lines, without trailing blanks."""
        if not self._cells:
            return []
        height = max(row for row, _ in self._cells) + 1
        lines: list[list[tuple[str, str]]] = [[] for _ in range(height)]
        for (row, column), cell in sorted(self._cells.items()):
            line = lines[row]
            line += [(" ", "")] * (column - len(line))
            line.append(cell)
        return [
            "".join(_coloured(line) if color else (c for c, _ in line)).rstrip() for line in lines
        ]


def _runs(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    """Yield row, leftmost and rightmost column of the part of a line that is in that row."""
    (top, left), (bottom, right) = start, end
    count = bottom - top + 1
    length = abs(right - left) + 1
    for n in range(count):
        first, last = length * n // count, length * (n + 1) // count - 1
        last = max(first, last)
        yield (
            (top + n, left + first, left + last)
            if right >= left
            else (top + n, left - last, left - first)
        )


def _coloured(line: list[tuple[str, str]]) -> Iterator[str]:
    current = ""
    for char, style in line:
        if style != current and not (char == " " and not style):
            if current:
                yield _RESET
            if style:
                yield f"\x1b[{style}m"
            current = style
        yield char
    if current:
        yield _RESET

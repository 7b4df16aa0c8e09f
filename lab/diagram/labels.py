"""Where to write beside slanted lines in a picture so that nothing overlaps. Pure geometry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import atan2, cos, degrees, hypot, radians, sin

Point = tuple[float, float]
Segment = tuple[Point, Point]

LETTER, LINE_GAP, LABEL_GAP = 5.0, 8.0, 15.0
"""Pixels from the middle of a letter within which a line runs through it, or nearly, or another
label is in the way."""
CHOICES = 37
"""Places tried along a line, on each side of it."""
LABEL_COST, STRIKE_COST, LINE_COST = 180.0, 30.0, 6.0
"""One letter on a label is worse than six on a line, one on a line worse than being off-centre,
and this than being near a line."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for a text: the middle of its base line, and its slant in degrees."""

    at: Point
    angle: float
    wish: float
    """How unwelcome it is where nothing is in the way."""

    def letters(self, width: float, size: float) -> list[Point]:
        """Return points along the middle of the text."""
        count = max(3, int(width / 10))
        slant = radians(self.angle)
        lift = size * 0.35
        x, y = self.at[0] + lift * sin(slant), self.at[1] - lift * cos(slant)
        steps = [width * (n / (count - 1) - 0.5) for n in range(count)]
        return [(x + step * cos(slant), y + step * sin(slant)) for step in steps]


def beside(line: Segment, width: float, size: float) -> list[Spot]:
    """Return places for a label along a line, those near its start preferred.

    Args:
        line: From where a packet leaves to where it ends.
        width: Of the text.
        size: Of the font.
    """
    (x0, y0), (x1, y1) = line
    length = hypot(x1 - x0, y1 - y0) or 1.0
    # Never upside down.
    angle = degrees(atan2(y1 - y0, x1 - x0) if x1 >= x0 else atan2(y0 - y1, x0 - x1))
    slant = radians(angle)
    margin = (width / 2 + 12) / length
    spots = []
    for n in range(CHOICES):
        share = margin + (1 - 2 * margin) * n / (CHOICES - 1)
        if not 0 < share < 1:
            share = 0.5
        for below, lift in ((False, -7.0), (True, size + 3)):
            at = (
                x0 + (x1 - x0) * share - lift * sin(slant),
                y0 + (y1 - y0) * share + lift * cos(slant),
            )
            spots.append(Spot(at, angle, abs(share - 0.25) * 20 + 3 * below))
    return spots


class Labels:
    """Finds free places, and remembers those that are taken."""

    def __init__(self, lines: Iterable[Segment]) -> None:
        self._lines = list(lines)
        self._taken: list[Point] = []

    def take(self, spots: Sequence[Spot], width: float, size: float) -> Spot:
        """Return the best of some places and keep it free from now on."""
        best = min(spots, key=lambda spot: self._cost(spot, width, size))
        self._taken += best.letters(width, size)
        return best

    def _cost(self, spot: Spot, width: float, size: float) -> float:
        letters = spot.letters(width, size)
        lines = self._around(letters)
        nearest = [min((_distance(at, line) for line in lines), default=LINE_GAP) for at in letters]
        struck = sum(distance < LETTER for distance in nearest)
        near = sum(LETTER <= distance < LINE_GAP for distance in nearest)
        hit = sum(
            any(abs(at[0] - x) + abs(at[1] - y) < LABEL_GAP * 1.3 for x, y in self._taken)
            for at in letters
        )
        return spot.wish + STRIKE_COST * struck + LINE_COST * near + LABEL_COST * hit

    def _around(self, letters: Sequence[Point]) -> list[Segment]:
        """Return the lines that can be near a text: most are far away."""
        (left, right), (top, bottom) = (
            (min(along) - LINE_GAP, max(along) + LINE_GAP) for along in zip(*letters, strict=True)
        )
        return [
            ((x0, y0), (x1, y1))
            for (x0, y0), (x1, y1) in self._lines
            if max(x0, x1) > left
            and min(x0, x1) < right
            and max(y0, y1) > top
            and min(y0, y1) < bottom
        ]


def _distance(point: Point, line: Segment) -> float:
    (x0, y0), (x1, y1) = line
    dx, dy = x1 - x0, y1 - y0
    square = dx * dx + dy * dy or 1.0
    share = max(0.0, min(1.0, ((point[0] - x0) * dx + (point[1] - y0) * dy) / square))
    return hypot(point[0] - x0 - share * dx, point[1] - y0 - share * dy)


def meeting(one: Segment, two: Segment) -> Point | None:
    """Return where two segments cross, None if they do not."""
    (ax, ay), (bx, by) = one
    (cx, cy), (dx, dy) = two
    rx, ry, sx, sy = bx - ax, by - ay, dx - cx, dy - cy
    cross = rx * sy - ry * sx
    if not cross:
        return None
    t = ((cx - ax) * sy - (cy - ay) * sx) / cross
    u = ((cx - ax) * ry - (cy - ay) * rx) / cross
    return (ax + t * rx, ay + t * ry) if 0 <= t <= 1 and 0 <= u <= 1 else None

"""What the lab's pictures of packets are drawn with: arrows, crosses, pauses."""

from __future__ import annotations

from math import atan2, cos, pi, sin

from lab.diagram.labels import Point, Segment
from lab.diagram.svg_style import CARD, EDGE, MUTED, RED, Svg

HALF_PAUSE = 11.0
"""Half the height of a pause."""
_EDGE = 40.0
"""What is left free on the right."""


def arrow(svg: Svg, line: Segment, colour: str, width: float, *, arrives: bool = True) -> None:
    """Draw a packet's way.

    Args:
        svg: the picture.
        line: from where it leaves to where it ends.
        colour: of all of it.
        width: of the line.
        arrives: whether it has a head.
    """
    start, end = line
    angle = atan2(end[1] - start[1], end[0] - start[0])
    svg.line(start, _along(end, angle, -13) if arrives else end, colour, stroke_width=width)
    if arrives:
        head(svg, end, angle, colour)


def head(svg: Svg, end: Point, angle: float, colour: str) -> None:
    """Draw the head of an arrow that ends at a life line; the angle is in radians."""
    tip = _along(end, angle, -3)
    wings = [_along(_along(tip, angle, -12), angle + pi / 2, wide) for wide in (-5, 5)]
    svg.polygon([tip, *wings], colour)


def cross(svg: Svg, at: Point) -> None:
    """Draw where a packet is lost."""
    for slope in (-7, 7):
        svg.line((at[0] - 7, at[1] - slope), (at[0] + 7, at[1] + slope), RED, stroke_width=3)


def pause_edges(width: float, left: float, y: float) -> list[Segment]:
    """Return the upper and the lower edge of a pause in a picture of this width."""
    right = width - _EDGE
    return [((left, y + dy), (right, y + dy)) for dy in (-HALF_PAUSE, HALF_PAUSE)]


def pause(svg: Svg, left: float, y: float, text: str, middle: float) -> None:
    """Draw a band across the life lines, for what is not drawn.

    Args:
        svg: the picture.
        left: where it begins.
        y: its middle.
        text: what it stands for.
        middle: of the text.
    """
    svg.rect(left, y - HALF_PAUSE, svg.width - _EDGE - left, 2 * HALF_PAUSE, fill=CARD)
    for start, end in pause_edges(svg.width, left, y):
        svg.line(start, end, EDGE, stroke_width=1.5, stroke_dasharray="2 5")
    svg.text((middle, y + 4), text, fill=MUTED, anchor="middle")


def _along(point: Point, angle: float, distance: float) -> Point:
    return point[0] + distance * cos(angle), point[1] + distance * sin(angle)

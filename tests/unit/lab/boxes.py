"""Where the texts of a picture are, about, to find those that overlap."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import cos, radians, sin

from lab.diagram.svg_style import text_width

SVG = "{http://www.w3.org/2000/svg}"
_ABOVE, _BELOW = 0.75, 0.2
"""Of the font size: a capital letter over the base line, a comma or q under it (DejaVu)."""
_BOLD = 1.12
"""Letters of weight 600 or more are wider."""
_ROTATE = re.compile(r"rotate\((\S+) ")
_BEFORE = {"start": 0.0, "middle": 0.5, "end": 1.0}
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, perhaps a slanted one, with what stands in it."""

    text: str
    corners: tuple[Point, Point, Point, Point]

    def meets(self, other: Box) -> bool:
        """Tell whether two boxes have a point in common: no straight line parts them."""
        return not any(
            _parts(axis, self, other) for box in (self, other) for axis in _axes(box.corners)
        )

    def is_in(self, frame: Box) -> bool:
        """Tell whether a rectangle that is not slanted holds all of this one."""
        (left, top), _, (right, bottom), _ = frame.corners
        return all(left <= x <= right and top <= y <= bottom for x, y in self.corners)


def overlapping(svg: str) -> list[tuple[str, str]]:
    """Return the texts of a picture that are drawn one over the other."""
    boxes = [_box(element) for element in _texts(ET.fromstring(svg))]
    return [(one.text, two.text) for one, two in combinations(boxes, 2) if one.meets(two)]


def cut_by_a_frame(svg: str) -> list[str]:
    """Return the texts of a picture that stand half in a rectangle and half outside."""
    root = ET.fromstring(svg)
    # The first one is the card that everything is on.
    frames = [_frame(element) for element in root.iter(f"{SVG}rect")][1:]
    boxes = [_box(element) for element in _texts(root)]
    return [
        box.text for box in boxes for frame in frames if box.meets(frame) and not box.is_in(frame)
    ]


def _texts(root: ET.Element) -> Iterator[ET.Element]:
    for element in root.iter(f"{SVG}text"):
        # A halo is behind all texts and hides none.
        if element.get("aria-hidden") is None and element.text:
            yield element


def _box(element: ET.Element) -> Box:
    text, size = element.text or "", float(element.attrib["font-size"])
    x, y = float(element.attrib["x"]), float(element.attrib["y"])
    width = text_width(text, size) * (_BOLD if element.get("font-weight", "400") > "400" else 1)
    left = -width * _BEFORE[element.attrib["text-anchor"]]
    turned = _ROTATE.match(element.get("transform", ""))
    angle = radians(float(turned[1]) if turned else 0.0)

    def at(right: float, down: float) -> Point:
        across, along = cos(angle), sin(angle)
        return x + right * across - down * along, y + right * along + down * across

    up, down = -_ABOVE * size, _BELOW * size
    corners = at(left, up), at(left + width, up), at(left + width, down), at(left, down)
    return Box(text, corners)


def _frame(element: ET.Element) -> Box:
    x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
    right, bottom = x + width, y + height
    return Box("", ((x, y), (right, y), (right, bottom), (x, bottom)))


def _axes(corners: tuple[Point, Point, Point, Point]) -> list[Point]:
    (ax, ay), (bx, by), (cx, cy), _ = corners
    return [(bx - ax, by - ay), (cx - bx, cy - by)]


def _parts(axis: Point, one: Box, two: Box) -> bool:
    mine, theirs = ([x * axis[0] + y * axis[1] for x, y in box.corners] for box in (one, two))
    return max(mine) <= min(theirs) or max(theirs) <= min(mine)

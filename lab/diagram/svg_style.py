"""The look of the lab's pictures, and the few SVG primitives they are made of.

Self-contained: no script, no external font, no style sheet, and a card of its own as background,
so that a picture is the same on a light page, a dark one and a slide.

Reference: https://www.w3.org/TR/SVG11/
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

CARD, EDGE, INK, MUTED, FAINT = "#fdfcf9", "#d9d4c7", "#22262b", "#6b7078", "#e9e5da"
BLUE, TEAL, GREEN, AMBER, RED, GREY = (
    "#0b62c4",
    "#0e7c86",
    "#1a7f37",
    "#a85b00",
    "#c62828",
    "#7a808a",
)
"""Each has a contrast of 4.5:1 or nearly on the card (WCAG 2.1, 1.4.3), and they stay apart for
the common forms of colour blindness together with the labels."""

FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
ADVANCE = 0.6
"""Width of an average character in units of the font size, measured with DejaVu and Arial: rather
too wide than too narrow."""


def text_width(text: str, size: float) -> float:
    """Estimate how wide a text is; no font is at hand to ask."""
    return len(text) * size * ADVANCE


Attributes = dict[str, float | str]


class Svg:
    """Collects elements; later ones are in front, texts in front of all shapes."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._shapes: list[str] = []
        self._halos: list[str] = []
        self._texts: list[str] = []

    def _add(self, tag: str, attributes: Attributes) -> None:
        self._shapes.append(f"<{tag}{_pairs(attributes)}/>")

    def rect(
        self, x: float, y: float, width: float, height: float, *, fill: str, **more: float | str
    ) -> None:
        """Add a rectangle."""
        box: Attributes = {"x": x, "y": y, "width": width, "height": height, "fill": fill}
        self._add("rect", box | more)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], stroke: str, **more: float | str
    ) -> None:
        """Add a straight line."""
        (x1, y1), (x2, y2) = start, end
        ends: Attributes = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke": stroke}
        self._add("line", ends | more)

    def circle(self, at: tuple[float, float], radius: float, **more: float | str) -> None:
        """Add a circle."""
        place: Attributes = {"cx": at[0], "cy": at[1], "r": radius}
        self._add("circle", place | more)

    def polygon(self, points: list[tuple[float, float]], fill: str) -> None:
        """Add a filled polygon."""
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._add("polygon", {"points": corners, "fill": fill})

    def text(
        self,
        at: tuple[float, float],
        text: str,
        *,
        size: float = 13,
        fill: str = INK,
        anchor: str = "start",
        angle: float = 0,
        halo: bool = False,
        **more: float | str,
    ) -> None:
        """Add a line of text.

        Args:
            at: Its anchor, on the base line.
            text: What it says.
            size: Of the font.
            fill: Its colour.
            anchor: start, middle or end.
            angle: Degrees, clockwise, about the anchor.
            halo: Whether the card's colour surrounds the letters, to cut through lines.
            more: Further attributes.
        """
        if angle:
            more["transform"] = f"rotate({angle:.2f} {at[0]:.1f} {at[1]:.1f})"
        place: Attributes = {"x": at[0], "y": at[1], "font_size": size, "text_anchor": anchor}
        place |= more
        if halo:
            # Not every renderer knows paint-order: the halo is a text of its own. All halos are
            # behind all texts, lest one label's halo cuts into another label.
            around: Attributes = {"stroke_width": 5, "stroke_linejoin": "round"}
            hidden = place | around | {"fill": CARD, "stroke": CARD, "aria_hidden": "true"}
            self._halos.append(f"<text{_pairs(hidden)}>{escape(text)}</text>")
        pairs = _pairs(place | {"fill": fill})
        self._texts.append(f"<text{pairs}>{escape(text)}</text>")

    def document(self, *, title: str, description: str) -> str:
        """Return the picture on its card.

        Args:
            title: For screen readers and as a tool tip.
            description: For screen readers.
        """
        size = f'width="{self.width:.0f}" height="{self.height:.0f}"'
        box = f'viewBox="0 0 {self.width:.0f} {self.height:.0f}"'
        card = (
            f'<rect x="0.5" y="0.5" width="{self.width - 1:.0f}" height="{self.height - 1:.0f}" '
            f'rx="12" fill="{CARD}" stroke="{EDGE}"/>'
        )
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img" '
                f"font-family={quoteattr(FONT)}>",
                f"<title>{escape(title)}</title>",
                f"<desc>{escape(description)}</desc>",
                card,
                *self._shapes,
                *self._halos,
                *self._texts,
                "</svg>\n",
            ]
        )


def _pairs(attributes: Attributes) -> str:
    return "".join(
        f" {name.replace('_', '-')}={quoteattr(_number(value))}"
        for name, value in attributes.items()
    )


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.1f}".removesuffix(".0")

"""The space-time diagram as a picture."""

from __future__ import annotations

from lab.diagram import strokes
from lab.diagram.crossing import crossing
from lab.diagram.labels import Labels, Segment, Spot, beside, meeting
from lab.diagram.layout import PICTURE, Layout, fit, span
from lab.diagram.model import Arrow, Fate, Kind, SpaceTime
from lab.diagram.svg_frame import AXIS, COLOURS, LEFT, RIGHT, TOP, WIDTH, Frame
from lab.diagram.svg_style import AMBER, MUTED, RED, text_width

ROWS = 23.0
"""Rows wanted: nearly square with the head, which a slide and a README both take."""
_LABEL_SIZE = 13.0


def draw_svg(
    model: SpaceTime,
    *,
    title: str,
    caption: str,
    hosts: tuple[str, str] = ("", ""),
    routers: tuple[str | None, str | None] = ("NAT", "NAT"),
) -> str:
    """Draw a flow as a picture.

    Args:
        model: The flow.
        title: The picture's heading.
        caption: One line under it.
        hosts: What stands under the hosts' names: their addresses.
        routers: What stands in front of them, "NAT 198.51.100.2"; None for nothing.

    Returns:
        An SVG document that needs nothing else.
    """
    return _Picture(model, hosts, routers).draw(title, caption)


class _Picture:
    def __init__(
        self,
        model: SpaceTime,
        hosts: tuple[str, str],
        routers: tuple[str | None, str | None],
    ) -> None:
        self._model = model
        self._layout: Layout = fit(model, ROWS, PICTURE)[0]
        self._frame = Frame(model, self._layout, hosts, routers)
        self._svg = self._frame.svg
        self._lines = [self._segment(*placed) for placed in self._layout.arrows]
        posts = [((x, TOP), (x, self._frame.bottom)) for x in (LEFT, RIGHT)]
        pauses = [
            edge
            for row, _, _ in self._layout.gaps
            for edge in strokes.pause_edges(WIDTH, AXIS - 6, self._frame.y(row))
        ]
        self._labels = Labels([*self._lines, *posts, *pauses])

    def draw(self, title: str, caption: str) -> str:
        """Draw everything, from the back to the front."""
        self._svg.text((40, 46), title, size=24, font_weight="700")
        self._svg.text((40, 74), caption, size=15, fill=MUTED)
        self._frame.heads()
        self._frame.axis()
        self._frame.life_lines()
        for (arrow, _, _), line in zip(self._layout.arrows, self._lines, strict=True):
            self._arrow(arrow, line)
        self._breaks()
        self._meeting()
        for (arrow, _, _), line in zip(self._layout.arrows, self._lines, strict=True):
            self._label(arrow, line)
        self._frame.states()
        self._frame.legend()
        return self._svg.document(title=title, description=caption)

    def _segment(self, arrow: Arrow, top: float, bottom: float) -> Segment:
        x0, x1 = (LEFT + share * (RIGHT - LEFT) for share in span(arrow))
        return (x0, self._frame.y(top)), (x1, self._frame.y(bottom))

    def _arrow(self, arrow: Arrow, line: Segment) -> None:
        colour, end = COLOURS[arrow.kind], line[1]
        width = 1.4 if arrow.kind in (Kind.ACK, Kind.FIN) else 2.4
        strokes.arrow(self._svg, line, colour, width, arrives=arrow.fate is Fate.ARRIVED)
        if arrow.fate is Fate.REFUSED:
            self._svg.rect(end[0] - 6, end[1] - 6, 12, 12, fill=RED, rx=2)
        elif arrow.fate is not Fate.ARRIVED:
            strokes.cross(self._svg, end)

    def _breaks(self) -> None:
        """Draw what stands for idle time and for packets that are not drawn."""
        middle = (LEFT + RIGHT) / 2
        for row, start, end in self._layout.gaps:
            idle = (end - start) / 1e6
            text = f"{idle:.{0 if idle > 10 else 1}f} ms, nothing in the air"
            strokes.pause(self._svg, AXIS - 6, self._frame.y(row), text, middle)
        for fold, row in self._layout.folds:
            text = f"⋮  {fold.label}  ⋮"
            width = text_width(text, 13)
            y = self._frame.y(row)
            spots = [Spot((middle + 12 * n, y + 4), 0, abs(n)) for n in range(-15, 16)]
            spot = self._labels.take(spots, width, 13)
            self._svg.text(spot.at, text, fill=MUTED, anchor="middle", halo=True)

    def _meeting(self) -> None:
        """Ring the point where the two SYNs pass each other, and say so."""
        found = crossing(self._model)
        if not found.crossed or found.syns is None or found.met_ns is None:
            return
        lines = {
            id(a): line for (a, _, _), line in zip(self._layout.arrows, self._lines, strict=True)
        }
        pair = [lines[id(s)] for s in found.syns if id(s) in lines]
        at = meeting(*pair) if len(pair) == 2 else None
        if at is None:
            return
        self._svg.circle(at, 11, fill=AMBER, fill_opacity="0.22", stroke=AMBER, stroke_width=2)
        text = f"the SYNs cross, {self._frame.time(found.met_ns)} ms"
        width = text_width(text, 14)
        spots = [
            Spot((x, at[1] + dy), 0, abs(x - at[0]) / 15 + n)
            for n, dy in enumerate((-24, -32, 34, 42, -44, 56))
            for x in range(int(LEFT + width / 2) + 10, int(RIGHT - width / 2) - 10, 10)
        ]
        spot = self._labels.take(spots, width, 14)
        away = spot.at[0] - at[0]
        if abs(away) > width / 2 + 20:
            side = 1 if away > 0 else -1
            near = (spot.at[0] - side * (width / 2 + 4), spot.at[1] - 5)
            self._svg.line((at[0] + side * 12, at[1] - 3), near, AMBER, stroke_width=1.2)
        self._svg.text(
            spot.at, text, size=14, fill=AMBER, anchor="middle", halo=True, font_weight="700"
        )

    def _label(self, arrow: Arrow, line: Segment) -> None:
        text = f"{arrow.label} from the router" if arrow.from_router else arrow.label
        width = text_width(text, _LABEL_SIZE)
        spot = self._labels.take(beside(line, width, _LABEL_SIZE), width, _LABEL_SIZE)
        weight = "400" if arrow.kind in (Kind.ACK, Kind.FIN) else "600"
        self._svg.text(
            spot.at,
            text,
            size=_LABEL_SIZE,
            fill=COLOURS[arrow.kind],
            anchor="middle",
            angle=spot.angle,
            halo=True,
            font_weight=weight,
        )

"""What stands around the packets in a picture: heads, time axis, life lines, states, legend."""

from __future__ import annotations

from itertools import pairwise

from lab.diagram.layout import ROUTER_AT, Layout
from lab.diagram.model import Kind, Side, SpaceTime, State
from lab.diagram.svg_style import (
    AMBER,
    BLUE,
    CARD,
    EDGE,
    FAINT,
    GREEN,
    GREY,
    INK,
    MUTED,
    RED,
    TEAL,
    Svg,
    text_width,
)

WIDTH, ROW = 1000.0, 27.0
LEFT, RIGHT = 250.0, 750.0
"""The hosts' life lines."""
AXIS, TOP = 58.0, 190.0
TICK_GAP = 18.0
FOOT = 84.0
"""Room for the legend."""

COLOURS = {
    Kind.SYN: BLUE,
    Kind.SYN_ACK: TEAL,
    Kind.ACK: GREY,
    Kind.DATA: AMBER,
    Kind.FIN: GREY,
    Kind.RST: RED,
    Kind.ICMP: RED,
}
STATE_COLOURS = {State.SYN_SENT: BLUE, State.SYN_RECEIVED: TEAL, State.ESTABLISHED: GREEN}


class Frame:
    """The frame of one picture.

    Args:
        model: The flow.
        layout: Where it is, in rows.
        hosts: What stands under the hosts' names.
        routers: What stands in front of them; None for nothing.
    """

    def __init__(
        self,
        model: SpaceTime,
        layout: Layout,
        hosts: tuple[str, str],
        routers: tuple[str | None, str | None],
    ) -> None:
        self.model, self.layout = model, layout
        self._hosts, self._routers = hosts, routers
        self.bottom = TOP + layout.height * ROW
        self.svg = Svg(WIDTH, self.bottom + FOOT)

    def y(self, row: float) -> float:
        """Turn rows into pixels."""
        return TOP + row * ROW

    def time(self, t_ns: int) -> str:
        """Return a time in milliseconds, as precise as the flow asks for."""
        return f"{t_ns / 1e6:.{self.model.decimals}f}"

    def heads(self) -> None:
        """Draw a box for each host and each router, on top of its line."""
        names, y, height = self.model.names, TOP - 88, 50
        inset = (RIGHT - LEFT) * (1 - ROUTER_AT)
        for n, (x, sign) in enumerate(((LEFT, 1), (RIGHT, -1))):
            width = max(140.0, text_width(self._hosts[n], 13) + 28)
            left = x + 20 - width if sign > 0 else x - 20
            middle = left + width / 2
            self.svg.rect(left, y, width, height, fill=INK, rx=8)
            self.svg.text(
                (middle, y + 21), names[n], size=15, fill=CARD, anchor="middle", font_weight="700"
            )
            self.svg.text((middle, y + 40), self._hosts[n], fill=CARD, anchor="middle")
            router = self._routers[n]
            if router is None:
                continue
            at = x + sign * inset
            self.svg.line((at, y + 40), (at, self.bottom + 10), EDGE, stroke_width=8)
            width = text_width(router, 13) + 26
            left = at - 18 if sign > 0 else at + 18 - width
            self.svg.rect(left, y + 10, width, 30, fill=CARD, stroke=MUTED, rx=6, stroke_width=1.3)
            self.svg.text((left + width / 2, y + 30), router, fill=INK, anchor="middle")

    def axis(self) -> None:
        """Draw the time axis; its ticks are where the layout has those times."""
        x, bottom = AXIS, self.bottom
        self.svg.line((x, TOP - 4), (x, bottom + 14), MUTED, stroke_width=1)
        self.svg.polygon([(x - 4, bottom + 12), (x + 4, bottom + 12), (x, bottom + 21)], MUTED)
        self.svg.text((x, TOP - 14), "ms", size=12, fill=MUTED, anchor="middle")
        knots = self.layout.knots
        if not knots:
            return
        for tick in self._ticks():
            y = self.y(self.layout.row_at(tick))
            self.svg.line((x - 4, y), (x + 4, y), MUTED, stroke_width=1)
            self.svg.text((x - 9, y + 4), f"{tick / 1e6:g}", size=12, fill=MUTED, anchor="end")
            self.svg.line((x + 10, y), (WIDTH - 40, y), FAINT, stroke_width=1)

    def _ticks(self) -> list[int]:
        """Return round times, about one every three rows, none too near another or in a break."""
        first, last = self.layout.knots[0][0], self.layout.knots[-1][0]
        drawn = last - first - sum(end - start for start, end in self.layout.breaks)
        wanted = max(drawn, 1) / max(self.layout.height / 3, 1)
        for step in (m * 10**e for e in range(3, 12) for m in (1, 2, 5)):
            # The instant itself, though the first packet leaves some microseconds later.
            start = -(-(first - step // 10) // step) * step
            ticks = (
                [
                    t
                    for t in range(start, last + 1, step)
                    if not any(low < t < high for low, high in self.layout.breaks)
                ]
                if step >= wanted
                else []
            )
            at = [self.y(self.layout.row_at(t)) for t in ticks]
            if ticks and all(b - a >= TICK_GAP for a, b in pairwise(at)):
                return ticks
        return []

    def life_lines(self) -> None:
        """Draw the hosts' lines, in the colour of the state that each is in."""
        for side, x in ((Side.A, LEFT), (Side.B, RIGHT)):
            self.svg.line((x, TOP - 38), (x, self.bottom + 14), GREY, stroke_width=3)
            since, colour = None, GREY
            drawn = [
                (self.layout.rows.get((side, c.t_ns)), c)
                for c in self.model.changes
                if c.side is side
            ]
            for row, change in [*((r, c) for r, c in drawn if r is not None), (None, None)]:
                y = self.bottom + 14 if row is None else self.y(row)
                if since is not None and colour != GREY:
                    self.svg.line((x, since), (x, y), colour, stroke_width=5)
                since = y
                colour = STATE_COLOURS.get(change.state, GREY) if change else GREY

    def states(self) -> None:
        """Write beside the lines when the hosts' states change, and to what."""
        for change in self.model.changes:
            row = self.layout.rows.get((change.side, change.t_ns))
            if row is None:
                continue
            y, colour = self.y(row), STATE_COLOURS.get(change.state, GREY)
            width, left = 118.0, change.side is Side.A
            x = LEFT - 12 - width if left else RIGHT + 12
            self.svg.rect(x, y - 9.5, width, 19, fill=colour, rx=9.5)
            self.svg.text(
                (x + width / 2, y + 4.2),
                change.state.value,
                size=12,
                fill=CARD,
                anchor="middle",
                font_weight="600",
            )
            at = (x - 7, y + 4) if left else (x + width + 7, y + 4)
            self.svg.text(
                at, self.time(change.t_ns), size=12, fill=INK, anchor="end" if left else "start"
            )

    def legend(self) -> None:
        """Say under the picture what the colours mean."""
        names = {
            Kind.SYN: "SYN",
            Kind.SYN_ACK: "SYN·ACK",
            Kind.ACK: "ACK",
            Kind.DATA: "data",
            Kind.RST: "refusal",
            Kind.ICMP: "refusal",
        }
        used = dict.fromkeys(names[a.kind] for a, _, _ in self.layout.arrows if a.kind in names)
        colours = {names[kind]: COLOURS[kind] for kind in names}
        entries = [(name, colours[name]) for name in used]
        x, y = LEFT, self.bottom + 54
        for name, colour in entries:
            self.svg.line((x, y - 4), (x + 26, y - 4), colour, stroke_width=3)
            self.svg.text((x + 34, y), name, fill=MUTED)
            x += 34 + text_width(name, 13) + 26
        self.svg.text((x, y), "time runs down", fill=MUTED, font_style="italic")

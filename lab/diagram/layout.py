"""Time to rows: proportional where it can be, stretched where packets crowd, folded where idle.

Shared by the text, whose rows are whole, and the picture, whose rows are not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from lab.diagram.digest import Fold, Item, digest
from lab.diagram.model import Arrow, Fate, Kind, Side, SpaceTime

ROUTER_AT = 0.9
"""Where on the way from a host the far NAT is drawn: right before the other host, since the delay
is between the NATs."""
LOST_AT = 0.62
"""Where on its way a lost packet ends."""


ALIKE = 0.02
"""Events at the two hosts closer than this share of a flight may stand in one row, or crosswise by
one: the lines cross if the packets did all the same, since that is decided at either host."""


STEP, STEPS, COARSE = 1.05, 300, 10
"""Scales tried: in steps of 5 %, from one row for everything to a two-millionth of that."""


@dataclass(frozen=True, slots=True)
class Spacing:
    """How tightly rows may be set."""

    rise: float
    """Rows that an arrow takes at least."""
    rise_opening: float
    """The same for the SYNs and SYN·ACKs of the connection: room to see them cross."""
    step: float
    """Rows between two packets at one host."""
    idle: float
    """An idle time of more rows than this is folded."""
    folded: float
    """Rows that it is folded to."""
    whole: bool
    """Rows are whole numbers."""


TEXT = Spacing(rise=2, rise_opening=4, step=1, idle=5, folded=2, whole=True)
PICTURE = Spacing(rise=1.2, rise_opening=4, step=0.8, idle=5, folded=2, whole=False)


@dataclass(slots=True)
class Layout:
    """Where everything is, in rows from the top."""

    arrows: list[tuple[Arrow, float, float]] = field(default_factory=list)
    """With the row where it leaves and the one where it ends."""
    folds: list[tuple[Fold, float]] = field(default_factory=list)
    gaps: list[tuple[float, int, int]] = field(default_factory=list)
    """Folded idle times: row of the mark, from when, to when."""
    breaks: list[tuple[int, int]] = field(default_factory=list)
    """Times between which rows stand for nothing: gaps, and folds with nothing else in the air."""
    knots: list[tuple[int, float]] = field(default_factory=list)
    """Time and row, both rising: the time axis."""
    rows: dict[tuple[Side, int], float] = field(default_factory=dict)
    """Row of what happened at a host at a time."""
    height: float = 0

    def row_at(self, t_ns: int) -> float:
        """Return the row of a time, between knots in proportion."""
        index = bisect_right(self.knots, t_ns, key=lambda knot: knot[0])
        if index == 0:
            return self.knots[0][1] if self.knots else 0
        if index == len(self.knots):
            return self.knots[-1][1]
        (t0, r0), (t1, r1) = self.knots[index - 1], self.knots[index]
        return r0 + (r1 - r0) * (t_ns - t0) / (t1 - t0)


@dataclass(frozen=True, slots=True)
class _Event:
    t_ns: int
    item: int
    end: bool
    host: Side | None


def span(arrow: Arrow) -> tuple[float, float]:
    """Return where an arrow starts and ends, 0 at A and 1 at B."""
    start = 1 - ROUTER_AT if arrow.from_router else 0.0
    end = {Fate.ARRIVED: 1.0, Fate.REFUSED: ROUTER_AT, Fate.LOST: LOST_AT}[arrow.fate]
    return (start, end) if arrow.sender is Side.A else (1 - start, 1 - end)


def _events(items: Sequence[Item]) -> list[_Event]:
    events = []
    for index, item in enumerate(items):
        near, far = (None, None) if isinstance(item, Fold) else (item.left_host, item.reached_host)
        events.append(_Event(item.start_ns, index, False, near))
        events.append(_Event(item.end_ns, index, True, far))
    # At one time what arrives comes before what it causes.
    return sorted(events, key=lambda e: (e.t_ns, not e.end, e.item))


class _Sweep:
    """Goes through the events by time and gives each its row."""

    def __init__(self, items: Sequence[Item], scale_ns: float, spacing: Spacing) -> None:
        self.layout = Layout()
        self._items = items
        self._scale_ns = scale_ns
        self._spacing = spacing
        self._cursor = 0.0
        self._now: int | None = None
        self._last: dict[Side, float] = {}
        self._left: dict[int, float] = {}
        self._flying = 0
        self._recent: deque[tuple[int, float]] = deque()
        flights = [i.end_ns - i.start_ns for i in items if isinstance(i, Arrow)]
        self._alike_ns = median(flights) * ALIKE if flights else 0.0
        self._folded_until = -(1 << 63)
        refusals = [i for i in items if isinstance(i, Arrow) and i.kind.is_refusal]
        self._refused = {
            n
            for n, i in enumerate(items)
            if isinstance(i, Arrow)
            and i.kind is Kind.SYN
            and any(r.sender is not i.sender and r.isn == i.isn for r in refusals)
        }

    def run(self) -> Layout:
        for event in _events(self._items):
            self._advance(event.t_ns)
            if isinstance(self._items[event.item], Fold):
                self._fold(event)
            else:
                self._arrow(event)
        return self.layout

    def _advance(self, t_ns: int) -> None:
        """Let time pass: move the cursor down to where an event at `t_ns` may be at the highest."""
        if self._now is not None and t_ns > self._now:
            rows = (t_ns - self._now) / self._scale_ns
            idle = not self._flying and t_ns > self._folded_until
            if rows > self._spacing.idle and idle:
                top = max(self._cursor, self.layout.height)
                mark = top + self._spacing.folded / 2
                mark = float(int(mark)) if self._spacing.whole else mark
                self.layout.gaps.append((mark, self._now, t_ns))
                self.layout.breaks.append((self._now, t_ns))
                self._cursor = top + self._spacing.folded
            elif self._flying or t_ns > self._folded_until:
                self._cursor += rows
        self._now = t_ns
        while self._recent and t_ns - self._recent[0][0] > self._alike_ns:
            self._cursor = max(self._cursor, self._recent.popleft()[1])

    def _arrow(self, event: _Event) -> None:
        arrow = self._items[event.item]
        assert isinstance(arrow, Arrow)
        row = round(self._cursor) if self._spacing.whole else self._cursor
        # What a router refuses ends in front of a host: that host's packets keep clear of it.
        near = arrow.sender.other if event.end and arrow.fate is Fate.REFUSED else event.host
        if near is not None and near in self._last:
            row = max(row, self._last[near] + self._spacing.step)
        if event.end:
            row = max(row, self._left[event.item] + self._rise(event.item))
            self.layout.arrows.append((arrow, self._left[event.item], row))
            self._flying -= 1
        else:
            answered = arrow.answers if arrow.from_router else None
            row = self._bounce(arrow, row) if answered is not None else row
            self._left[event.item] = row
            self._flying += 1
        if near is not None:
            self._last[near] = row
        if event.host is not None:
            self.layout.rows[event.host, event.t_ns] = row
        self._recent.append((event.t_ns, row))
        self.layout.height = max(self.layout.height, row)
        self._knot(event.t_ns, max(self._cursor, row - self._spacing.step))

    def _rise(self, item: int) -> float:
        arrow = self._items[item]
        opening = isinstance(arrow, Arrow) and arrow.kind in (Kind.SYN, Kind.SYN_ACK)
        return (
            self._spacing.rise_opening
            if opening and item not in self._refused
            else (self._spacing.rise)
        )

    def _bounce(self, arrow: Arrow, row: float) -> float:
        """A router's answer leaves where the packet that it answers ended."""
        for other, _, end in reversed(self.layout.arrows):
            refused = other.fate is Fate.REFUSED and other.end_ns == arrow.start_ns
            if refused and other.sender is not arrow.sender:
                return max(row, end)
        return row

    def _fold(self, event: _Event) -> None:
        fold = self._items[event.item]
        assert isinstance(fold, Fold)
        if event.end:
            return
        if not self._flying:
            self._folded_until = fold.end_ns
            self.layout.breaks.append((fold.start_ns, fold.end_ns))
        # A row of its own, whatever time it stands for.
        row = max([self._cursor, *self._last.values()]) + self._spacing.step
        row = round(row) if self._spacing.whole else row
        self.layout.folds.append((fold, row))
        self._cursor = row + self._spacing.step
        self.layout.height = max(self.layout.height, self._cursor)
        self._knot(event.t_ns, self._cursor)

    def _knot(self, t_ns: int, row: float) -> None:
        knots = self.layout.knots
        if knots and knots[-1][0] == t_ns:
            return
        if not knots or row > knots[-1][1]:
            knots.append((t_ns, row))


def place(items: Sequence[Item], scale_ns: float, spacing: Spacing) -> Layout:
    """Give everything its rows at one scale.

    Args:
        items: What to draw, by time.
        scale_ns: Nanoseconds a row stands for where nothing crowds.
        spacing: How tightly rows may be set.

    Returns:
        The layout. At either host the earlier packet is above the later one, so lines cross if
        packets did.
    """
    return _Sweep(items, scale_ns, spacing).run()


def fit(model: SpaceTime, height: float, spacing: Spacing) -> list[Layout]:
    """Return layouts of a flow no higher than `height`, the highest first.

    Args:
        model: The flow.
        height: Rows wanted.
        spacing: How tightly rows may be set.

    Returns:
        At least one; where nothing fits the lowest.
    """
    lowest: list[Layout] = []
    for acks in (True, False):
        layouts = _scaled(digest(model, acks=acks), height, spacing)
        fitting = [one for one in layouts if one.height <= height]
        if fitting:
            return sorted(fitting, key=lambda one: -one.height)
        least = min(one.height for one in layouts)
        lowest = [one for one in layouts if one.height < least + 1][-1:]
    return lowest


def _scaled(items: Sequence[Item], height: float, spacing: Spacing) -> list[Layout]:
    """Lay out at scales around the finest that fits, coarse steps first, then fine ones."""
    times = [t for item in items for t in (item.start_ns, item.end_ns)]
    extent = max(max(times) - min(times), 1) if times else 1
    finest = 0
    for n in range(0, STEPS, COARSE):
        high = place(items, extent / STEP**n, spacing).height
        if high <= height:
            finest = n
        elif high > 2 * height:
            break
    around = range(max(0, finest - COARSE), finest + COARSE)
    return [place(items, extent / STEP**n, spacing) for n in around]

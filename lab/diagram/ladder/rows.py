"""Which row everything of a ladder is in. Shared by the text and the picture.

Rows are in the order of time and not to its scale: what happens within microseconds on loopback
must be as legible as what takes 20 ms. Only where packets stay long in the air do longer waits
take more rows, so that lines that cross are seen to cross.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import IntEnum

from lab.diagram.ladder.model import Flight, Fold, Ladder, Mark, Note

LONG_NS = 500_000
"""Flights longer than this are drawn slanted, and stretch with time."""
STRETCH = 2
"""Rows that the longest flight takes beyond those of what happens meanwhile, about."""
ALIKE = 20
"""Notes of two lanes stand in one row if no more than this part of a flight lies between them."""
IDLE_NS = 5_000_000
"""A wait of this long, and longer than any flight, is marked."""


class _Order(IntEnum):
    """At one time: what arrives, then what that does to a state, then what it causes."""

    ARRIVAL = 0
    NOTE = 1
    FOLD = 2
    DEPARTURE = 3


@dataclass(slots=True)
class Rows:
    """Rows from the top, from 0."""

    flights: list[tuple[Flight, int, int]] = field(default_factory=list)
    """With the row where it leaves and the one where it ends; the same if it is drawn level."""
    notes: list[tuple[Note, int]] = field(default_factory=list)
    folds: list[tuple[Fold, int]] = field(default_factory=list)
    idle: list[tuple[int, int]] = field(default_factory=list)
    """Row of a mark, and for how many nanoseconds nothing happened."""
    times: dict[int, int] = field(default_factory=dict)
    """The time of what is first in a row."""
    height: int = 0


def place(ladder: Ladder, *, margins: bool = False) -> Rows:
    """Give everything its row.

    Args:
        ladder: what to draw.
        margins: there is room outside the outer lanes for their states, which then stand in the
            row of the packet that belongs to them.

    Returns:
        The rows.
    """
    return _Placing(ladder, margins=margins).run()


class _Placing:
    def __init__(self, ladder: Ladder, *, margins: bool) -> None:
        self._ladder = ladder
        self._outer = {0, len(ladder.lanes) - 1} if margins else set()
        self._arrived: dict[tuple[int, int], int] = {}
        """Lane and time of an arrival: its row."""
        self._departing = {(f.source, f.start_ns) for f in ladder.flights}
        self._waiting: dict[tuple[int, int], list[Note]] = defaultdict(list)
        """Lane and time of a departure: states that belong in its row."""
        self._rows = Rows()
        self._row = -1
        self._noted: set[int] = set()
        """Lanes with a note in the current row, if that is a row of notes."""
        self._left: dict[int, int] = {}
        self._alone: int | None = None
        """The flight that left in this row, while nothing else has happened."""
        self._now = 0
        spans = [f.end_ns - f.start_ns for f in ladder.flights if not f.lost]
        self._longest = max(spans, default=0)

    def run(self) -> Rows:
        for t_ns, order, index in sorted(self._events()):
            self._wait(t_ns)
            if order is _Order.NOTE:
                self._note(index, t_ns)
            elif order is _Order.FOLD:
                self._next(t_ns)
                self._rows.folds.append((self._ladder.folds[index], self._row))
                self._now = self._ladder.folds[index].end_ns
            elif order is _Order.DEPARTURE:
                self._depart(index, t_ns)
            else:
                self._arrive(index, t_ns)
        self._rows.height = self._row + 1
        return self._rows

    def _events(self) -> list[tuple[int, _Order, int]]:
        found = [(self._time(note), _Order.NOTE, n) for n, note in enumerate(self._ladder.notes)]
        found += [(fold.start_ns, _Order.FOLD, n) for n, fold in enumerate(self._ladder.folds)]
        for n, flight in enumerate(self._ladder.flights):
            found.append((flight.start_ns, _Order.DEPARTURE, n))
            found.append((flight.end_ns, _Order.ARRIVAL, n))
        return found

    def _time(self, note: Note) -> int:
        """Return when a note happened, or when a packet left its lane just before.

        A long line begins there, and would run through the note if that were below it.
        """
        if note.mark is Mark.STATE or self._longest <= LONG_NS:
            return note.t_ns
        close = self._longest // ALIKE
        left = (t for lane, t in self._departing if lane == note.lane)
        return min((t for t in left if 0 <= note.t_ns - t <= close), default=note.t_ns)

    def _wait(self, t_ns: int) -> None:
        # What happens while folded packets are in the air has not waited for them.
        waited, self._now = max(0, t_ns - self._now), max(self._now, t_ns)
        if self._row < 0:
            return
        if self._left:
            if self._longest > LONG_NS:
                extra = min(STRETCH, round(STRETCH * waited / self._longest))
                self._skip(extra)
        elif waited > max(IDLE_NS, self._longest):
            self._skip(1)
            self._rows.idle.append((self._row, waited))

    def _skip(self, rows: int) -> None:
        if rows:
            self._row += rows
            self._noted, self._alone = set(), None

    def _next(self, t_ns: int) -> None:
        self._row += 1
        self._noted, self._alone = set(), None
        self._rows.times[self._row] = t_ns

    def _note(self, index: int, t_ns: int) -> None:
        note = self._ladder.notes[index]
        packet = (note.lane, t_ns)
        if note.mark is Mark.STATE and note.lane in self._outer:
            if packet in self._arrived:
                self._rows.notes.append((note, self._arrived[packet]))
                return
            if packet in self._departing:
                self._waiting[packet].append(note)
                return
        noted = self._noted
        late = t_ns - self._rows.times.get(self._row, 0) > self._longest // ALIKE
        if not noted or note.lane in noted or late:
            self._next(t_ns)
            noted = self._noted
        noted.add(note.lane)
        self._rows.notes.append((note, self._row))

    def _depart(self, index: int, t_ns: int) -> None:
        self._next(t_ns)
        self._left[index] = self._row
        self._alone = index
        packet = (self._ladder.flights[index].source, t_ns)
        self._rows.notes += [(note, self._row) for note in self._waiting.pop(packet, ())]

    def _arrive(self, index: int, t_ns: int) -> None:
        flight, top = self._ladder.flights[index], self._left.pop(index)
        loops = flight.source == flight.target
        if self._alone != index or loops or self._longest > LONG_NS:
            self._next(t_ns)
        self._rows.flights.append((flight, top, self._row))
        if not flight.lost:
            self._arrived[flight.target, t_ns] = self._row
        self._alone = None

"""From the captures of some rooms to a ladder: which arrival is which departure's, and whose.

Nothing on the way changes a packet here (no NAT, no router), so a packet is known by its bytes.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from lab.diagram.captures import icmp_name, seen
from lab.diagram.ladder.model import Endpoint, Flight, Fold, Ladder, Lane, Mark, Note
from lab.diagram.model import SEQ_SPACE, Kind, Seen, Side
from lab.diagram.states import changes
from lab.packets import Flags, Icmp, Packet, Tcp, Udp

_IP_HEADER, _UDP_HEADER = 20, 8
_NEAR = 1 << 24
"""Relative numbers beyond this are relative to something else."""

Sight = tuple[str, Packet]
"""A packet in a room's capture."""


def build(
    captures: Mapping[str, Sequence[Packet]],
    lanes: Sequence[Lane],
    *,
    quotes: Iterable[str] = (),
) -> Ladder:
    """Match the captures of some rooms into a ladder.

    Args:
        captures: what each room's interface saw, by time, on one clock.
        lanes: the life lines; packets that belong to none are left out.
        quotes: messages to show where a packet carries one.

    Returns:
        The ladder, its origin the first packet.
    """
    reader = _Reader(lanes, tuple(quotes))
    journeys = (j for j in _journeys(captures) if _ends(j[0][1]) is not None)
    flights = [flight for j in journeys if (flight := reader.flight(*j)) is not None]
    origin = min((flight.start_ns for flight in flights), default=0)
    moved = (
        replace(flight, start_ns=flight.start_ns - origin, end_ns=flight.end_ns - origin)
        for flight in flights
    )
    return Ladder(
        lanes=tuple(lanes),
        origin_ns=origin,
        flights=tuple(sorted(moved, key=lambda f: (f.start_ns, f.end_ns))),
        notes=tuple(_states(captures, lanes, origin)),
    )


def _journeys(captures: Mapping[str, Sequence[Packet]]) -> list[tuple[Sight, Sight | None]]:
    """Pair each departure with its arrival, if there is one; by the time of departure."""
    arrivals: dict[bytes, deque[Sight]] = defaultdict(deque)
    departures: list[Sight] = []
    for room, packet in sorted(
        ((room, packet) for room, packets in captures.items() for packet in packets),
        key=lambda sight: sight[1].t_ns,
    ):
        if packet.direction == "in":
            arrivals[packet.raw].append((room, packet))
        else:
            departures.append((room, packet))
    found: list[tuple[Sight, Sight | None]] = []
    for sight in departures:
        waiting = arrivals[sight[1].raw]
        found.append((sight, waiting.popleft() if waiting else None))
    return found


def owner(lanes: Sequence[Lane], room: str, endpoint: Endpoint) -> int | None:
    """Return the number of the lane that an endpoint in a room belongs to."""
    fallback = None
    for number, lane in enumerate(lanes):
        if lane.room == room:
            if lane.endpoints is None:
                fallback = number
            elif endpoint in lane.endpoints:
                return number
    return fallback


class _Reader:
    """Turns packets into flights; remembers each side's SYN for relative numbers."""

    def __init__(self, lanes: Sequence[Lane], quotes: tuple[str, ...]) -> None:
        self._lanes, self._quotes = lanes, quotes
        self._sent: dict[tuple[int, Endpoint, Endpoint], int] = {}
        self._heard: dict[tuple[int, Endpoint, Endpoint], list[tuple[int, int]]] = defaultdict(list)

    def flight(self, left: Sight, reached: Sight | None) -> Flight | None:
        room, packet = left
        ends = _ends(packet)
        assert ends is not None
        source = owner(self._lanes, room, ends[0])
        target = self._target(ends[1], reached, source)
        if source is None or target is None:
            return None
        body, length = packet.body, _length(packet)
        payload = packet.raw[-length:] if length else b""
        blank = Flight(
            source=source,
            target=target,
            start_ns=packet.t_ns,
            # A clock may be too coarse for a hop without delay: nothing arrives at once.
            end_ns=max((reached or left)[1].t_ns, packet.t_ns + 1),
            kind=Kind.DATA,
            flags="UDP",
            length=length,
            quote=next((q for q in self._quotes if q.encode() in payload), ""),
            forged_as=self._lanes[source].poses_as,
            lost=reached is None,
            flow=ends,
        )
        if isinstance(body, Icmp):
            name = icmp_name(packet.version, body)
            return replace(blank, kind=Kind.ICMP, flags=f"ICMP {name}")
        return self._tcp(blank, body, packet, reached) if isinstance(body, Tcp) else blank

    def _target(self, endpoint: Endpoint, reached: Sight | None, source: int | None) -> int | None:
        if reached is not None:
            return owner(self._lanes, reached[0], endpoint)
        owners = (owner([lane], lane.room, endpoint) for lane in self._lanes)
        homes = (n for n, found in enumerate(owners) if found is not None and n != source)
        return next(homes, None)

    def _tcp(self, blank: Flight, tcp: Tcp, packet: Packet, reached: Sight | None) -> Flight:
        way, back = (tcp.source, tcp.destination), (tcp.destination, tcp.source)
        if tcp.flags & Flags.SYN:
            again = self._sent.get((blank.source, *way)) == tcp.sequence
            blank = replace(blank, again=again and not tcp.flags & Flags.ACK)
            self._sent[blank.source, *way] = tcp.sequence
            if reached is not None:
                self._heard[blank.target, *way].append((reached[1].t_ns, tcp.sequence))
        isn = self._sent.get((blank.source, *way))
        heard = [s for t, s in self._heard[blank.source, *back] if t <= packet.t_ns]
        # A refusal's number is what the other side expects next, if it is anything.
        expects = self._heard[blank.target, *way]
        return replace(
            blank,
            kind=_kind(packet),
            flags=_words(tcp),
            seq=_relative(tcp.sequence, isn, *(s for _, s in reversed(expects))),
            ack=_relative(tcp.acknowledgement, *reversed(heard)) if tcp.flags & Flags.ACK else None,
        )


def _relative(number: int, *starts: int | None) -> int | None:
    near = ((number - start) % SEQ_SPACE for start in starts if start is not None)
    return next((n for n in near if n < _NEAR), None)


def _ends(packet: Packet) -> tuple[Endpoint, Endpoint] | None:
    """Return who speaks to whom; of an ICMP error the ends of the flow that it is about."""
    if isinstance(packet.body, Tcp | Udp):
        return packet.body.source, packet.body.destination
    if isinstance(packet.body, Icmp) and packet.body.about is not None:
        return packet.body.about.destination, packet.body.about.source
    return None


def _length(packet: Packet) -> int:
    if isinstance(packet.body, Tcp):
        return packet.body.payload_length
    if not isinstance(packet.body, Udp):
        return 0
    header = (packet.raw[0] & 15) * 4 if packet.version == 4 else 2 * _IP_HEADER
    return len(packet.raw) - header - _UDP_HEADER


def _kind(packet: Packet) -> Kind:
    sight = seen(packet)
    assert sight is not None
    return sight.kind


def _words(tcp: Tcp) -> str:
    order = (Flags.SYN, Flags.FIN, Flags.RST, Flags.PSH, Flags.ACK)
    return "·".join(str(flag.name) for flag in order if tcp.flags & flag) or "-"


def _states(
    captures: Mapping[str, Sequence[Packet]], lanes: Sequence[Lane], origin: int
) -> Iterable[Note]:
    """Yield the states of every lane, told from the packets at its own interface."""
    flows: dict[tuple[int, Endpoint, Endpoint], list[Seen]] = defaultdict(list)
    for room, packets in captures.items():
        for packet in packets:
            sight = seen(packet)
            if sight is None:
                continue
            lane = owner(lanes, room, sight.flow.local)
            if lane is not None and lanes[lane].states and _shown(lanes, sight.flow.remote):
                flows[lane, sight.flow.local, sight.flow.remote].append(sight)
    found = [
        Note(lane, change.t_ns, change.state.value, Mark.STATE)
        for (lane, _, _), sights in flows.items()
        for change in changes(Side.A, sights, origin)
    ]
    return sorted(found, key=lambda note: note.t_ns)


def _shown(lanes: Sequence[Lane], remote: Endpoint) -> bool:
    """Tell whether the far end of a flow has a lane, wherever it is."""
    return any(lane.endpoints is None or remote in lane.endpoints for lane in lanes)


def annotate(ladder: Ladder, notes: Iterable[Note]) -> Ladder:
    """Add what programs did or were told; times on the captures' clock.

    What happened before the first packet stands at its time.
    """
    moved = [replace(note, t_ns=max(0, note.t_ns - ladder.origin_ns)) for note in notes]
    return replace(ladder, notes=tuple(sorted([*moved, *ladder.notes], key=lambda n: n.t_ns)))


def fold(
    ladder: Ladder, keep: Callable[[Flight], bool], describe: Callable[[Sequence[Flight]], str]
) -> Ladder:
    """Put one line in the place of each run of packets that need not be drawn.

    Args:
        ladder: the whole.
        keep: which packets to draw.
        describe: says what the others of one run are.

    Returns:
        A ladder with fewer flights.
    """
    runs: list[list[Flight]] = [[]]
    for flight in ladder.flights:
        if keep(flight):
            runs.append([])
        else:
            runs[-1].append(flight)
    kept = [flight for flight in ladder.flights if keep(flight)]
    hidden = [(run[0].start_ns, run[-1].end_ns) for run in runs if run]
    folds = []
    for (low, high), run in zip(hidden, filter(None, runs), strict=True):
        # Below whatever was in the air when it began.
        landed = [f.end_ns for f in kept if f.start_ns < low and not f.lost]
        start = max([low, *landed])
        folds.append(Fold(start, max(start, high), describe(run)))
    return replace(
        ladder,
        flights=tuple(kept),
        notes=tuple(
            n for n in ladder.notes if not any(low <= n.t_ns <= high for low, high in hidden)
        ),
        folds=tuple(folds),
    )

"""Two active opens and no listener: one connection (RFC 9293 section 3.5, figure 7)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product

from lab.diagram.ladder import Flight, Lane
from lab.diagram.model import Kind
from lab.experiments.calls import LOVE, connect, hear, result, show
from lab.experiments.kernel import Entry, Watch
from lab.experiments.record import Recorder
from lab.experiments.relay import INTERFACE, Relay, address
from lab.experiments.report import Check, Report, Scene
from lab.experiments.room import Room
from lab.packets import Packet

TITLE = "Two SYNs that cross open one connection"
CLAIM = (
    "Two programs that both call connect() at each other at the same time, and of which neither "
    "listens, get one connection between them: CLOSED, SYN-SENT, SYN-RECEIVED, ESTABLISHED on "
    "both sides. When the SYNs do not cross, both are refused."
)
LESSON = (
    "A SYN that arrives at a socket which is itself in SYN-SENT is no intruder: it is the other "
    "half of the same connection, and is answered by SYN·ACK. A SYN that arrives where nobody is "
    "calling (yet, or any more) is answered by RST. So the one thing that the two programs need "
    "is to be in SYN-SENT at the same time, which means: to fire within the time that a packet "
    "takes from one to the other. That is why midair agrees an instant and corrects the clocks, "
    "and why a peer that is refused fires again at once."
)
A, B = "A", "B"
DELAY_S = 0.05
"""Long beside what may keep this program from its second connect() on a busy machine."""
APART_S = 0.12
"""More than the delay: the first SYN is there before the other leaves, and its RST is back."""
PORT = 1314
Played = tuple[Scene, list[Check]]
REPLY = "I love you, too."
FIGURE_7 = ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]
OPENING = [("out", "SYN"), ("in", "SYN"), ("out", "SYN,ACK"), ("in", "SYN,ACK")]
_ENDS = {A: (address(1), PORT), B: (address(2), PORT)}
_LANES = [Lane(name, show(end), name) for name, end in _ENDS.items()]
_FAR = {A: B, B: A}


def run() -> Report:
    """Run the experiment."""
    crossing, checks = _play(_crossing)
    early, refused_early = _play(partial(_apart, title="A calls too early", first=A))
    late, refused_late = _play(partial(_apart, title="A calls too late", first=B))
    return Report(
        name="simultaneous-open",
        title=TITLE,
        claim=CLAIM,
        scenes=(crossing, early, late),
        checks=(*checks, *refused_early, *refused_late),
        lesson=LESSON,
    )


def _play(scene: Callable[[Relay], Played]) -> Played:
    """Give a scene a cable of its own: what is still on its way would disturb the next one."""
    with Relay((A, B), delay_s=DELAY_S) as relay:
        return scene(relay)


def _caller(room: Room) -> socket.socket:
    caller = room.socket()
    caller.setblocking(False)
    caller.bind(_ENDS[room.name])
    return caller


def _crossing(relay: Relay) -> Played:
    rooms = relay.rooms
    with (
        Recorder("They cross: both call at once", rooms, INTERFACE) as record,
        _caller(rooms[A]) as a,
        _caller(rooms[B]) as b,
        relay.watched(watch := Watch({A: a, B: b})),
    ):
        with relay.holding():
            pending = {A: connect(a, _ENDS[B]), B: connect(b, _ENDS[A])}
            record.look("while both SYNs are in the air")
        for name, outcome in pending.items():
            record.did(
                f"{name}: bind({show(_ENDS[name])}), connect({show(_ENDS[_FAR[name]])}): {outcome}"
            )
        outcomes = [result(caller) for caller in (a, b)]
        record.did(f"both: connect() has ended with {outcomes[0]} (A) and {outcomes[1]} (B)")
        entries = record.look("when both are connected")
        record.wait_until(lambda: len(record.packets(B)) >= 6)
        heard = _talk(record, a, b)
        record.settle()
        scene = record.scene(_LANES, quotes=(LOVE, REPLY))
        seen = {name: record.packets(name) for name in rooms}
    return scene, [
        Check("connect() succeeds on both sides", " and ".join(outcomes), outcomes == ["0", "0"]),
        *_as_in_figure_7(watch.states, seen),
        Check(
            "both SYNs left before the other one arrived",
            _crossed_words(scene.ladder.flights),
            _crossed(scene.ladder.flights),
        ),
        _one_connection(entries),
        Check(
            "both hear what the other said", f"{heard[0]!r}, {heard[1]!r}", heard == (REPLY, LOVE)
        ),
    ]


def _as_in_figure_7(
    states: Mapping[str, list[str]], seen: Mapping[str, Sequence[Packet]]
) -> list[Check]:
    figure = {
        name: [(p.direction, p.tcp.flag_words) for p in packets if p.tcp][:4]
        for name, packets in seen.items()
    }
    return [
        Check(
            "the kernel shows SYN-SENT, SYN-RECEIVED, ESTABLISHED on both sides",
            "; ".join(f"{name}: {' → '.join(found)}" for name, found in states.items()),
            all(found == FIGURE_7 for found in states.values()),
        ),
        Check(
            "each host sends a SYN, gets a SYN, sends a SYN·ACK, gets a SYN·ACK (figure 7)",
            "; ".join(f"{n}: {_flags(packets)}" for n, packets in figure.items()),
            all(packets == OPENING for packets in figure.values()),
        ),
    ]


def _talk(record: Recorder, a: socket.socket, b: socket.socket) -> tuple[str, str]:
    a.sendall(LOVE.encode())
    at_b = hear(b, len(LOVE)).decode()
    b.sendall(REPLY.encode())
    at_a = hear(a, len(REPLY)).decode()
    record.did(f"A: send({LOVE!r}); B heard {at_b!r}, send({REPLY!r}); A heard {at_a!r}")
    return at_a, at_b


def _apart(relay: Relay, *, title: str, first: str) -> Played:
    """Let one call so much earlier that the SYNs do not cross."""
    rooms = relay.rooms
    second = _FAR[first]
    outcomes: dict[str, str] = {}
    with Recorder(title, rooms, INTERFACE) as record:
        fired = time.monotonic()
        for name in (first, second):
            time.sleep(max(0.0, fired + (name == second) * APART_S - time.monotonic()))
            with _caller(rooms[name]) as caller:
                connect(caller, _ENDS[_FAR[name]])
                outcomes[name] = result(caller)
                record.note(0 if name == A else 1, f"connect(): {outcomes[name]}", failed=True)
        record.did(
            f"{first}: the same as before; {second}: the same {APART_S * 1000:.0f} ms later, on a "
            f"path of {DELAY_S * 1000:.0f} ms"
        )
        record.did(f"{first} is told {outcomes[first]}, {second} {outcomes[second]}")
        record.settle()
        scene = record.scene(_LANES)
    flights = scene.ladder.flights
    kinds = [flight.kind for flight in flights]
    return scene, [
        Check(
            f"{title}: both are refused",
            ", ".join(f"{name}: {outcomes[name]}" for name in (A, B)),
            set(outcomes.values()) == {"ECONNREFUSED"},
        ),
        Check(
            f"{title}: two SYNs that did not cross, a RST for each",
            ", ".join(flight.label for flight in flights),
            kinds == [Kind.SYN, Kind.RST, Kind.SYN, Kind.RST] and not _crossed(flights),
        ),
    ]


def _flags(packets: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{direction} {flags.replace(',', '·')}" for direction, flags in packets)


def _crossings(flights: Sequence[Flight]) -> list[tuple[Flight, Flight]]:
    syns = [flight for flight in flights if flight.kind is Kind.SYN]
    return [
        (one, two)
        for one, two in product(syns, syns)
        if one.source < two.source and max(one.start_ns, two.start_ns) < min(one.end_ns, two.end_ns)
    ]


def _crossed(flights: Sequence[Flight]) -> bool:
    return len(_crossings(flights)) == 1


def _span_ms(flight: Flight) -> float:
    return (flight.end_ns - flight.start_ns) / 1e6


def _crossed_words(flights: Sequence[Flight]) -> str:
    return (
        ", ".join(
            f"they left {abs(one.start_ns - two.start_ns) / 1e6:.2f} ms apart and were "
            f"{_span_ms(one):.1f} and {_span_ms(two):.1f} ms on the way"
            for one, two in _crossings(flights)
        )
        or "they did not"
    )


def _one_connection(entries: Sequence[Entry]) -> Check:
    flows = [entry.flow for entry in entries if entry.state == "ESTABLISHED"]
    listening = [entry for entry in entries if entry.state == "LISTEN"]
    return Check(
        "there is one connection, not two: one socket at each end, and none that listens",
        f"{len(flows)} sockets that are each other's ends, {len(listening)} listening",
        len(flows) == len(entries) == 2 and flows[0] == flows[1][::-1],
    )

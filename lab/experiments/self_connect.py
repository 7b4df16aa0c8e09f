"""A client that meets itself: the kernel gives it the very port that it is calling."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from lab.diagram.ladder import Flight, Ladder, Lane, fold
from lab.diagram.model import Kind
from lab.experiments.calls import LOVE, close_by_reset, connect, hear, outcome, show
from lab.experiments.record import Recorder
from lab.experiments.report import Check, Report, Scene
from lab.experiments.room import Room

TITLE = "A client that keeps calling meets itself"
CLAIM = (
    "A client that keeps connecting to a local port on which nobody listens is connected in the "
    "end: to itself, when the kernel happens to give it that very port. A port outside "
    "ip_local_port_range, a listener on the port, or a look at the two ends prevents it."
)
LESSON = (
    "Each connect() without bind() gets a port of the kernel's own range. When that port is the "
    "one that is being called, the SYN comes back to its own socket, which is in SYN-SENT, and "
    "the rest is simultaneous open. A program that waits for its own server to start (“retry "
    "until it answers”) then talks to itself, and keeps the port from the server. Linux gives "
    "connect() every second port while those last, so only every second port is in danger, which "
    "makes the mistake harder to find, not rarer. midair takes its ports outside the range, and "
    "compares both ends of every connection all the same."
)
ROOM = "host"
FIRST, LAST = 40_000, 40_399
"""The kernel's range, narrowed in this room, so that its turn comes soon."""
INSIDE, OUTSIDE = 40_200, 30_000
LIMIT = 10_000
"""Tries, in any case: about eight times what a full turn takes."""
_BATCH = 32
"""Tries after which the captures are emptied."""


@dataclass(slots=True)
class Tries:
    """What a client that kept connecting came across."""

    count: int = 0
    ports: set[int] = field(default_factory=set)
    """That the kernel gave it."""
    outcomes: set[str] = field(default_factory=set)
    met: socket.socket | None = None
    """Connected with itself."""

    @property
    def words(self) -> str:
        """Say how many, and with which ports."""
        span = f"{min(self.ports)} to {max(self.ports)}"
        parity = {port % 2 for port in self.ports}
        odd = "" if len(parity) > 1 else " (all odd)" if parity == {1} else " (all even)"
        return f"{self.count:,} tries with {len(self.ports):,} different ports, {span}{odd}"


def run() -> Report:
    """Run the experiment."""
    with Room(ROOM) as room:
        room.sysctl("net/ipv4/ip_local_port_range", f"{FIRST} {LAST}")
        numeric, checks = _meets_itself(room, "127.0.0.1", pictured=True)
        named, more = _meets_itself(room, "localhost", pictured=False)
        cures = [_outside(room), _compared(room), _listened(room)]
    return Report(
        name="self-connect",
        title=TITLE,
        claim=CLAIM,
        scenes=(numeric, named, *(scene for scene, _ in cures)),
        checks=(*checks, *more, *(check for _, found in cures for check in found)),
        lesson=LESSON,
    )


def _keep_connecting(
    room: Room,
    record: Recorder,
    remotes: Sequence[tuple[str, int]],
    enough: Callable[[Tries], bool],
    *,
    answer: Callable[[], None] | None = None,
) -> Tries:
    """Connect again and again, to each remote in turn, until met or enough."""
    tries = Tries()

    def batch() -> None:
        for _ in range(_BATCH):
            for remote in remotes:
                family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
                sock = socket.socket(family)
                answered = connect(sock, remote)
                tries.count += 1
                tries.ports.add(sock.getsockname()[1])
                tries.outcomes.add(answered)
                if answered == "0" and sock.getsockname() == sock.getpeername():
                    tries.met = sock
                    return
                close_by_reset(sock)
                if answer is not None:
                    answer()
            if enough(tries):
                return

    while tries.met is None and not enough(tries) and tries.count < LIMIT:
        room.call(batch)
        record.drain()
    return tries


def _remotes(room: Room, name: str, port: int) -> list[tuple[str, int]]:
    """Look a name up, and keep the addresses that this kernel has."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    remotes = [(family, (str(address[0]), port)) for family, _, _, _, address in found]

    def usable(family: socket.AddressFamily, remote: tuple[str, int]) -> bool:
        with room.socket(family=family) as sock:
            return outcome(lambda: sock.bind((remote[0], 0))) == "0"

    return [remote for family, remote in remotes if usable(family, remote)]


def _lanes(remotes: Sequence[tuple[str, int]], what: str) -> list[Lane]:
    ends = frozenset(remotes)
    return [
        Lane("the client", "a port by the kernel", ROOM, states=False),
        Lane(f"port {remotes[0][1]}", what, ROOM, ends),
    ]


def _meets_itself(room: Room, name: str, *, pictured: bool) -> tuple[Scene, list[Check]]:
    remotes = _remotes(room, name, INSIDE)
    tried = " or ".join(show(remote) for remote in remotes)
    with Recorder(f"A client calls {name}:{INSIDE} until it is answered", {ROOM: room}) as record:
        record.did(f"the kernel's own range is {FIRST} to {LAST}; nobody listens at {tried}")
        tries = _keep_connecting(room, record, remotes, lambda _: False)
        record.did(tries.words)
        with ExitStack() as stack:
            heard, ends = "", "none"
            if tries.met is not None:
                stack.callback(close_by_reset, tries.met)
                ends = f"{show(tries.met.getsockname())} ⇄ {show(tries.met.getpeername())}"
                record.look("connected")
                tries.met.sendall(LOVE.encode())
                heard = hear(tries.met, len(LOVE)).decode()
            record.did(f"connected: {ends}; send({LOVE!r}), recv(): {heard!r}")
            record.settle()
            scene = record.scene(
                _lanes(remotes, "nobody listens"),
                quotes=[LOVE],
                shorten=_shorten,
                pictured=pictured,
            )
        called = [p.tcp for p in record.packets(ROOM) if p.direction == "out" and p.tcp]
    syns = [tcp for tcp in called if tcp.is_bare_syn]
    return scene, [
        Check(f"{name}: the client is connected to itself", ends, tries.met is not None),
        Check(f"{name}: what it says it hears", repr(heard), heard == LOVE),
        Check(
            f"{name}: every other call was refused, and the capture has them all",
            f"{len(syns):,} SYNs from ports {min(tries.ports)} to {max(tries.ports)}, the last "
            f"one from {syns[-1].source[1]}; answers: {', '.join(sorted(tries.outcomes))}",
            len(syns) == tries.count
            and {tcp.source[1] for tcp in syns} == tries.ports
            and syns[-1].source == syns[-1].destination,
        ),
    ]


def _shorten(ladder: Ladder) -> Ladder:
    """Keep the first call, the last one that was refused, and the one that met itself."""
    refused = [f for f in ladder.flights if f.source != f.target]
    shown = {id(flight) for flight in (*refused[:2], *refused[-2:])}
    return fold(ladder, lambda f: f.source == f.target or id(f) in shown, _more_calls)


def _more_calls(flights: Sequence[Flight]) -> str:
    ports = [flight.flow[0][1] for flight in flights if flight.kind is Kind.SYN]
    if len(ports) == 1:
        return f"1 more call, from port {ports[0]}"
    return f"{len(ports):,} more calls, from ports {min(ports)} to {max(ports)}"


def _full_turn(tries: Tries) -> bool:
    """Tell whether every port that the kernel gives to connect() has had its turn."""
    return len(tries.ports - {INSIDE, INSIDE + 1}) >= (LAST - FIRST + 1) // 2 - 1 and (
        tries.count > LAST - FIRST
    )


def _outside(room: Room) -> tuple[Scene, list[Check]]:
    remotes = [("127.0.0.1", OUTSIDE)]
    title = f"Cure: a port outside the range ({OUTSIDE})"
    with Recorder(title, {ROOM: room}) as record:
        tries = _keep_connecting(room, record, remotes, _full_turn)
        if tries.met is not None:
            close_by_reset(tries.met)
        record.did(f"{tries.words}: {', '.join(sorted(tries.outcomes))}")
        scene = record.scene(_lanes(remotes, "nobody listens"), shorten=_few, pictured=False)
    return scene, [
        Check(
            "a port outside the range is never met in a full turn of the range",
            tries.words,
            tries.met is None and _full_turn(tries) and tries.outcomes == {"ECONNREFUSED"},
        )
    ]


def _compared(room: Room) -> tuple[Scene, list[Check]]:
    remotes = [("127.0.0.1", INSIDE)]
    with Recorder("Cure: comparing the two ends", {ROOM: room}) as record:
        tries = _keep_connecting(room, record, remotes, lambda _: False)
        same = tries.met is not None and tries.met.getsockname() == tries.met.getpeername()
        record.did(f"{tries.words}; then getsockname() == getpeername(): {same}, so it hangs up")
        if tries.met is not None:
            close_by_reset(tries.met)
        record.settle()
        scene = record.scene(_lanes(remotes, "nobody listens"), shorten=_shorten, pictured=False)
        sent = [p.tcp.payload_length for p in record.packets(ROOM) if p.tcp]
    kinds = [flight.kind for flight in scene.ladder.flights if flight.source == flight.target]
    return scene, [
        Check(
            "the two ends tell, before a byte is sent",
            f"{', '.join(kind.value for kind in kinds)}; {sum(sent)} bytes of data",
            same and Kind.RST in kinds and not any(sent),
        )
    ]


def _listened(room: Room) -> tuple[Scene, list[Check]]:
    end = ("127.0.0.1", INSIDE)
    with (
        Recorder("A port with a listener cannot do it", {ROOM: room}) as record,
        room.socket() as server,
    ):
        server.bind(end)
        server.listen()
        tries = _keep_connecting(
            room, record, [end], _full_turn, answer=lambda: server.accept()[0].close()
        )
        record.did(f"bind({show(end)}), listen(); {tries.words}, each accepted")
        scene = record.scene(_lanes([end], "the listener"), shorten=_few, pictured=False)
    return scene, [
        Check(
            "a full turn of calls to a port with a listener never gets that port",
            tries.words,
            tries.met is None
            and _full_turn(tries)
            and tries.outcomes == {"0"}
            and INSIDE not in tries.ports,
        )
    ]


def _few(ladder: Ladder) -> Ladder:
    """Keep the first call and the last one."""
    calls = [number for number, f in enumerate(ladder.flights) if f.kind is Kind.SYN]
    shown = {id(f) for f in (*ladder.flights[: calls[1]], *ladder.flights[calls[-1] :])}
    return fold(ladder, lambda f: id(f) in shown, _more_calls)

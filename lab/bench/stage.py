"""What benchmark and acceptance tests do with a living scenario beyond running sessions in it."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

from lab.diagram import build, crossing
from lab.namespace import Namespace
from lab.options import LabOptions
from lab.packets import Packet
from lab.scenario import Scenario, SessionRun
from lab.system import in_guest
from lab.topology import RENDEZVOUS_IPV4, RENDEZVOUS_IPV6, SIDES, RouterSpec, Side
from lab.world import World

ESTABLISHED, SYN_SENT, TIME_WAIT, LISTEN = 0x01, 0x02, 0x06, 0x0A
"""<net/tcp_states.h>, as /proc/net/tcp prints them."""
_SERVERS = (RENDEZVOUS_IPV4, RENDEZVOUS_IPV6)
_UNLIMITED = {
    "MIDAIR_RENDEZVOUS_VISITS": "1000000",
    "MIDAIR_RENDEZVOUS_GUESSES": "1000000",
}
"""Hundreds of sessions come from two addresses here, and are no attack."""


@contextlib.contextmanager
def staged(options: LabOptions) -> Iterator[Scenario]:
    """Build a lab with everything that sessions need; tear it down at the end."""
    with (
        _environment(_UNLIMITED),
        World(options.world) as world,
        Scenario(world, options) as scenario,
    ):
        yield scenario


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def set_routers(world: World, a: RouterSpec, b: RouterSpec) -> None:
    """Make both routers of a living lab behave as wanted; one that does already is left alone."""
    for side, wanted in zip(SIDES, (a, b), strict=True):
        if world.spec.side(side).router != wanted:
            world.set_router(side, wanted)


def skewed(scenario: Scenario, skew_ms: float) -> SessionRun:
    """Run one session in which peer b fires so much later than agreed."""
    return scenario.run(environment={"b": {"MIDAIR_TEST_SKEW_MS": f"{skew_ms:g}"}})


def inhabitants(space: Namespace) -> list[int]:
    """List the processes that live in a namespace, beside this one."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if (folder / "ns/net").stat().st_ino == space.inode:
                    found.append(int(folder.name))
    return found


def processors() -> int:
    """Tell how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def pin_apart(world: World) -> None:
    """Give each peer a processor of its own, as two hosts have; what it forks stays there.

    On one processor two peers without delay between them never meet: each SYN arrives, and is
    refused, while the other peer does not run.

    Raises:
        ValueError: there is only one.
    """
    own = sorted(os.sched_getaffinity(0))
    if len(own) < 2:
        raise ValueError("peers without delay between them need two processors")
    for side, processor in zip(SIDES, own, strict=False):
        for pid in inhabitants(world.space(f"peer-{side}")):
            os.sched_setaffinity(pid, {processor})


def can_step_clock() -> bool:
    """Tell whether this machine's clock is only ours."""
    return in_guest()


def syns(run: SessionRun, side: Side) -> list[Packet]:
    """List the bare SYNs that a peer sent to anybody but the rendezvous."""
    return [
        packet
        for packet in run.packets[side]
        if packet.direction == "out"
        and packet.tcp is not None
        and packet.tcp.is_bare_syn
        and packet.destination not in _SERVERS
    ]


def most_syns_an_attempt(run: SessionRun) -> int:
    """Return the most SYNs that a peer spent on an attempt, as the captures saw them.

    A session of n attempts counts with the n-th part of its SYNs, rounded up.
    """
    counts: list[int] = []
    for side in SIDES:
        events = run.peers[side].events
        attempts = max(1, sum(event["event"] == "appointment" for event in events))
        counts.append(math.ceil(len(syns(run, side)) / attempts))
    return max(counts)


def later_open_ms(run: SessionRun) -> float | None:
    """Return how long after its own first SYN the peer that fired later came to ESTABLISHED.

    One round trip at best. The other one may be later still: it comes there a round trip after
    the shot that succeeded, which may leave up to half a round trip after the later peer's.
    """
    seen = crossing(build(run.packets["a"], run.packets["b"], origin_ns=0))
    peers = [
        (first, done)
        for first, done in zip(seen.first_syn_ns, seen.established_ns, strict=True)
        if first is not None and done is not None
    ]
    if len(peers) < len(SIDES):
        return None
    first, done = max(peers)
    return (done - first) / 1e6


def tcp_sockets(space: Namespace) -> list[tuple[int, int]]:
    """List the TCP sockets in a namespace.

    Returns:
        State and remote port of each, of both families.
    """

    def read() -> str:
        folder = Path("/proc/thread-self/net")
        return "".join((folder / name).read_text() for name in ("tcp", "tcp6"))

    rows = (line.split() for line in space.call(read).splitlines())
    return [
        (int(row[3], 16), int(row[2].rpartition(":")[2], 16))
        for row in rows
        if row and row[0] != "sl"
    ]

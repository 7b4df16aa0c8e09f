"""The figures of the rendezvous under load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lab.bench.batch import Progress, Step
from lab.bench.figures import Figure, counted, spread
from lab.bench.load.programs import (
    Clients,
    Server,
    pairing_order,
    processors,
    serving,
    waiting_order,
)

COUPLES = 16
"""Pairings at one time."""
WARM_UP = 500
ROUNDS, EACH = 7, 2_000
WHOLE_WARM_UP, WHOLE_ROUNDS, WHOLE_EACH = 50, 5, 300
WAITERS = 10_000
JOINED = WAITERS // 2
"""So many partners come in the end; the other waiters hear that the server goes away."""
DESCRIPTORS = WAITERS + 2_000
SETTLE_S = 1.0
"""For the polls that have ended while their server was paused."""

PAIRINGS_S = 800.0
P99_MS = 40.0
BESIDE = 0.9
WAITER_KB = 30.0
_DRAIN_S = 20.0
SECTION = "load"


@dataclass(slots=True)
class _Rounds:
    """Rounds of pairings on one server."""

    what: str
    server: Server
    clients: Clients
    rounds: int
    rate: list[float] = field(default_factory=list)
    whole_ms: list[float] = field(default_factory=list)
    appointed_ms: list[float] = field(default_factory=list)
    busy_percent: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    """The server's processor time for a pairing: other work on the machine adds to it, too."""

    def __post_init__(self) -> None:
        self.clients.hear()

    def run(self) -> Progress:
        """Run the next round."""
        self.clients.tell({})
        before_s = self.server.cpu_s()
        heard = self.clients.hear()
        used_s = self.server.cpu_s() - before_s
        self.rate.append(len(heard["whole_ms"]) / heard["seconds"])
        self.whole_ms += heard["whole_ms"]
        self.appointed_ms += heard["appointed_ms"]
        self.busy_percent.append(100 * used_s / heard["seconds"])
        self.cpu_us.append(used_s / len(heard["whole_ms"]) * 1e6)
        return Progress(
            section=SECTION,
            what=self.what,
            run=len(self.rate),
            runs=self.rounds,
            facts={
                "rate": self.rate[-1],
                "busy_percent": self.busy_percent[-1],
                "cpu_us": self.cpu_us[-1],
            },
            events={},
        )

    def figures(self, *, wanted: bool) -> Iterator[Figure]:
        """Make the figures of all rounds; ``wanted``: something is wanted of them."""
        yield spread(
            SECTION,
            f"{self.what}: pairings a second",
            self.rate,
            unit="/s",
            statistic="median",
            at_least=PAIRINGS_S if wanted else None,
        )
        yield spread(
            SECTION,
            f"{self.what}: a pairing",
            self.whole_ms,
            statistic="p99",
            at_most=P99_MS if wanted else None,
        )
        yield spread(SECTION, f"{self.what}: second report to both appointments", self.appointed_ms)
        yield spread(SECTION, f"{self.what}: the server's processor", self.busy_percent, unit="%")
        yield spread(
            SECTION, f"{self.what}: the server's work for a pairing", self.cpu_us, unit="µs"
        )


def load() -> Iterator[Step]:
    """Pairings as whole peers do them, pairings alone, and pairings beside 10,000 waiters."""
    server_on, clients_on = processors()
    with serving(server_on, DESCRIPTORS) as server:
        yield from _whole(server, clients_on)
    with (
        serving(server_on, DESCRIPTORS) as empty,
        serving(server_on, DESCRIPTORS) as crowded,
    ):
        yield from _beside_waiters(empty, crowded, clients_on)


def _whole(server: Server, clients_on: int) -> Iterator[Step]:
    order = pairing_order(
        server,
        couples=COUPLES,
        warm_up=WHOLE_WARM_UP,
        rounds=WHOLE_ROUNDS,
        each=WHOLE_EACH,
        fresh=True,
    )
    with Clients(clients_on, order) as clients:
        what = "with connections, clock and mapping"
        whole = _Rounds(what, server, clients, WHOLE_ROUNDS)
        for _ in range(WHOLE_ROUNDS):
            yield whole.run()
    yield from whole.figures(wanted=False)


def _order(server: Server) -> dict[str, Any]:
    return pairing_order(server, couples=COUPLES, warm_up=WARM_UP, rounds=ROUNDS, each=EACH)


def _beside_waiters(empty: Server, crowded: Server, clients_on: int) -> Iterator[Step]:
    # What a server loads and allocates for its first sessions is not the waiters'.
    first = pairing_order(crowded, couples=4, warm_up=20, rounds=0, each=0)
    with Clients(clients_on, first) as clients:
        clients.hear()
    idle_rss, idle_descriptors = crowded.rss(), crowded.descriptors()
    with Clients(clients_on, waiting_order(crowded, WAITERS)) as crowd:
        parked = crowd.hear()["parked"]
        held = crowded.descriptors() - idle_descriptors
        waiter_kb = (crowded.rss() - idle_rss) / WAITERS / 1e3
        yield spread(
            SECTION, "server's memory for a waiter", [waiter_kb], unit="kB", at_most=WAITER_KB
        )
        yield from _in_turn(empty, crowded, clients_on)
        yield from _released(crowded, crowd, [parked == WAITERS, held == WAITERS])


def _in_turn(empty: Server, crowded: Server, clients_on: int) -> Iterator[Step]:
    """Let both servers take turns: whatever else this machine does falls upon both."""
    with (
        Clients(clients_on, _order(empty)) as on_empty,
        Clients(clients_on, _order(crowded)) as on_crowded,
    ):
        alone = _Rounds("alone", empty, on_empty, ROUNDS)
        beside = _Rounds(f"beside {WAITERS} waiters", crowded, on_crowded, ROUNDS)
        for _ in range(ROUNDS):
            with crowded.paused():
                yield alone.run()
            time.sleep(SETTLE_S)
            yield beside.run()
    yield from alone.figures(wanted=True)
    yield from beside.figures(wanted=False)
    yield spread(
        SECTION,
        f"{beside.what}: share of the rate alone",
        [crowd / none for crowd, none in zip(beside.rate, alone.rate, strict=True)],
        unit="",
        statistic="median",
        at_least=BESIDE,
    )


def _released(server: Server, crowd: Clients, were: list[bool]) -> Iterator[Figure]:
    """End every wait: half by a partner's coming, half by the server's going."""
    crowd.tell({"join": JOINED})
    woken = crowd.hear()["woken"]
    server.ask_to_stop()
    crowd.tell({"drain": _DRAIN_S})
    refused = crowd.hear()["refused"]
    yield counted(SECTION, "waiters parked, each on a connection", were, at_least=len(were))
    yield _share("waiters woken by their partner", woken, JOINED)
    yield _share("waiters told that the server goes away", refused, WAITERS - JOINED)
    yield counted(SECTION, "the server's end: exit 0", [server.wait() == 0], at_least=1)


def _share(what: str, count: int, of: int) -> Figure:
    return counted(SECTION, what, [number < count for number in range(of)], at_least=of)

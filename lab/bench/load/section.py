"""The figures of the rendezvous under load."""

from __future__ import annotations

import statistics
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
WHOLE_ROUNDS, WHOLE_EACH = 5, 300
WAITERS = 10_000
JOINED = WAITERS // 2
"""So many partners come in the end; the other waiters hear that the server goes away."""
DESCRIPTORS = WAITERS + 2_000

PAIRINGS_S = 800.0
P99_MS = 40.0
BESIDE = 0.9
WAITER_KB = 30.0
_DRAIN_S = 20.0
SECTION = "load"


@dataclass(slots=True)
class _Rounds:
    """Rounds of pairings, collected while their progress is passed on."""

    what: str
    rate: list[float] = field(default_factory=list)
    whole_ms: list[float] = field(default_factory=list)
    appointed_ms: list[float] = field(default_factory=list)
    busy_percent: list[float] = field(default_factory=list)

    def run(self, server: Server, processor: int, order: dict[str, Any]) -> Iterator[Progress]:
        rounds, each = order["rounds"], order["each"]
        with Clients(processor, order) as clients:
            for number in range(1, rounds + 1):
                clients.tell({})
                before_s = server.cpu_s()
                heard = clients.hear()
                used_s = server.cpu_s() - before_s
                self.rate.append(each / heard["seconds"])
                self.whole_ms += heard["whole_ms"]
                self.appointed_ms += heard["appointed_ms"]
                self.busy_percent.append(100 * used_s / heard["seconds"])
                yield Progress(
                    section=SECTION,
                    what=self.what,
                    run=number,
                    runs=rounds,
                    facts={"rate": self.rate[-1], "busy_percent": self.busy_percent[-1]},
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


def load() -> Iterator[Step]:
    """Pairings alone, as whole peers do them, and beside 10,000 waiters."""
    server_on, clients_on = processors()
    alone = _Rounds("alone")
    with serving(server_on, DESCRIPTORS) as server:
        yield from alone.run(server, clients_on, _order(server))
        yield from alone.figures(wanted=True)
    with serving(server_on, DESCRIPTORS) as server:
        whole = _Rounds("with fresh connections, 16 reflections, 12 times")
        yield from whole.run(
            server,
            clients_on,
            pairing_order(
                server,
                couples=COUPLES,
                warm_up=50,
                rounds=WHOLE_ROUNDS,
                each=WHOLE_EACH,
                fresh=True,
            ),
        )
        yield from whole.figures(wanted=False)
    with serving(server_on, DESCRIPTORS) as server:
        yield from _beside_waiters(server, clients_on, statistics.median(alone.rate))


def _order(server: Server) -> dict[str, Any]:
    return pairing_order(server, couples=COUPLES, warm_up=WARM_UP, rounds=ROUNDS, each=EACH)


def _beside_waiters(server: Server, clients_on: int, alone: float) -> Iterator[Step]:
    beside = _Rounds(f"beside {WAITERS} waiters")
    # What the server loads and allocates for the first sessions is not the waiters'.
    for _ in beside.run(
        server, clients_on, pairing_order(server, couples=4, warm_up=20, rounds=0, each=0)
    ):
        pass
    idle_rss, idle_descriptors = server.rss(), server.descriptors()
    with Clients(clients_on, waiting_order(server, WAITERS)) as crowd:
        parked = crowd.hear()["parked"]
        held = server.descriptors() - idle_descriptors
        waiter_kb = (server.rss() - idle_rss) / WAITERS / 1e3
        yield spread(
            SECTION,
            "server's memory for a waiter",
            [waiter_kb],
            unit="kB",
            at_most=WAITER_KB,
        )
        yield from beside.run(server, clients_on, _order(server))
        yield from beside.figures(wanted=False)
        yield spread(
            SECTION,
            f"{beside.what}: share of the rate alone",
            [rate / alone for rate in beside.rate],
            unit="",
            statistic="median",
            at_least=BESIDE,
        )
        yield from _released(server, crowd, [parked == WAITERS, held == WAITERS])


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

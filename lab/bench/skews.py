"""Sections about skew: one peer fires so much later than the other, by no fault of its clock."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from lab.bench import stage
from lab.bench.batch import Batch, Step
from lab.bench.figures import Figure
from lab.bench.labs import DELAY_MS, RTT_MS, options
from lab.topology import Answer, RouterSpec, WorldSpec

SKEWS_MS = (0.0, 25.0, 60.0, 333.0, 1500.0)
SWEEP_MS = (*(0.0, 5.0, 10.0, 15.0, 18.0, 20.0, 22.0, 25.0, 30.0, 40.0, 60.0), 100.0, 333.0, 1500.0)
"""Closer together around the delay, which decides what one shot can do.  Nothing is wanted there:
a SYN that comes in the tenth of a millisecond after a refusal finds the hole closed, and its peer
is a round trip later (seen at 20 and 22 ms, one session in ten)."""
NEAR_SKEWS_MS = (0.0, 0.2, 5.0, 50.0)
"""Without delay."""
ANSWERS: tuple[Answer, ...] = ("rst", "icmp", "drop")
SWEPT: tuple[Answer, ...] = ("rst", "drop")
SYN_BUDGET = 5_000

GRID_RUNS = 20
SWEEP_RUNS = 10
"""Of the skews that are in the sweep only."""

MARGIN_MS = 15.0
AFTER_LATER_MS = RTT_MS + MARGIN_MS
BOTH_OPEN_MS = RTT_MS + DELAY_MS + MARGIN_MS
"""The early peer's shot that succeeds may leave as late as the other's SYN arrives."""


def refire() -> Iterator[Step]:
    """Skews that one round trip cannot hide."""
    with stage.staged(options()) as scenario:
        for answer in ANSWERS:
            router = RouterSpec(answer=answer)
            stage.set_routers(scenario.world, router, router)
            for skew_ms in SWEEP_MS if answer in SWEPT else SKEWS_MS:
                batch = Batch(
                    "refire",
                    f"{answer}, skew {skew_ms:g} ms",
                    GRID_RUNS if skew_ms in SKEWS_MS else SWEEP_RUNS,
                    scenario,
                    {"answer": answer, "skew_ms": skew_ms, "delay_ms": DELAY_MS},
                )
                yield from batch.run(functools.partial(stage.skewed, scenario, skew_ms))
                yield batch.connected()
                yield batch.by_first_shot()
                wanted = AFTER_LATER_MS, BOTH_OPEN_MS
                yield from _after_later(batch, *(wanted if skew_ms in SKEWS_MS else (None, None)))


def near() -> Iterator[Step]:
    """No delay at all: on this host, with a processor for each peer."""
    with stage.staged(options(world=WorldSpec())) as scenario:
        stage.pin_apart(scenario.world)
        for skew_ms in NEAR_SKEWS_MS:
            batch = Batch(
                "near",
                f"no delay, skew {skew_ms:g} ms",
                GRID_RUNS,
                scenario,
                {"answer": "rst", "skew_ms": skew_ms, "delay_ms": 0.0},
            )
            yield from batch.run(functools.partial(stage.skewed, scenario, skew_ms))
            yield batch.connected()
            yield from _after_later(batch, MARGIN_MS, MARGIN_MS)
            yield batch.spread(
                "SYNs of a peer, an attempt", batch.syns, unit="", at_most=SYN_BUDGET
            )


def _after_later(batch: Batch, later_ms: float | None, both_ms: float | None) -> Iterator[Figure]:
    for what, values, at_most in (
        ("the later peer's first SYN to its open", batch.later_open_ms, later_ms),
        ("the same to both open", batch.values("after_later_ms"), both_ms),
    ):
        yield batch.spread(what, values, statistic="p95", at_most=at_most)

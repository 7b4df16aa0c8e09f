"""The section ``grid``: how far apart the peers are, and how much is lost on the way."""

from __future__ import annotations

from collections.abc import Iterator

from lab.bench import stage
from lab.bench.batch import Batch, Step
from lab.bench.labs import options
from lab.topology import LinkSpec

DELAYS_MS = (1.0, 5.0, 20.0, 150.0)
"""One way: one town, one country, a continent, the far side of the earth."""
LOSSES_PERCENT = (0.0, 5.0)
RUNS = 20
FIRST_SHOT = RUNS - 1
CERTAIN_FROM_MS = 5.0
"""From this delay on the peers' clocks are far nearer to each other than the delay, so that the
first shot is to succeed; a processor that two peers share may be late once in a while."""


def grid() -> Iterator[Step]:
    """All delays, without loss and with it."""
    with stage.staged(options()) as scenario:
        for delay_ms in DELAYS_MS:
            for loss_percent in LOSSES_PERCENT:
                scenario.world.set_link(LinkSpec(delay_ms=delay_ms, loss_percent=loss_percent))
                batch = Batch(
                    "grid",
                    f"{delay_ms:g} ms, loss {loss_percent:g} %",
                    RUNS,
                    scenario,
                    {"answer": "rst", "delay_ms": delay_ms, "loss_percent": loss_percent},
                )
                yield from batch.run()
                yield batch.connected()
                certain = not loss_percent and delay_ms >= CERTAIN_FROM_MS
                yield batch.by_first_shot(FIRST_SHOT if certain else None)
                yield batch.spread("later first SYN to both open", batch.values("after_later_ms"))
                yield batch.spread(
                    "second report to connected and proven", batch.values("since_report_ms")
                )

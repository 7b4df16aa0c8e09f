"""The benchmark's section on meetings without a server: by time, and by a secret."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

from lab.bench import stage
from lab.bench.batch import Batch, Step
from lab.bench.labs import options
from lab.meet import meet, soon
from lab.scenario import Scenario, SessionRun

PORT = 1314
SPACING_S = 10.5
"""Before one port is used again: what routers remember of the connection before is gone then."""
RUNS = 20
WIDEST_S = 20.0
"""How far apart both sides are started, at most."""
BUCKET_S = 15.0
"""How often a secret's meetings are."""
LATEST_S = 2 * BUCKET_S
"""At worst the later side is just too late for a meeting, and the next is late in its bucket."""


def secret_of(number: int) -> str:
    """Return a secret for an experiment: any 16 bytes, in base32."""
    return base64.b32encode(number.to_bytes(16, "big")).decode().rstrip("=").lower()


def section() -> Iterator[Step]:
    """Meetings by time on one port, and by a secret with starts up to 20 s apart."""
    with stage.staged(options()) as scenario:
        scenario.end_rendezvous()
        batch = Batch("meet", "by time, one port", RUNS, scenario)
        yield from batch.run(lambda: _by_time(scenario))
        yield batch.connected()
        yield batch.by_first_shot()
        batch = Batch("meet", f"by secret, starts 0 to {WIDEST_S:g} s apart", RUNS, scenario)
        gaps = iter(number * WIDEST_S / (RUNS - 1) for number in range(RUNS))
        waits: list[float | None] = []
        yield from batch.run(lambda: _by_secret(scenario, next(gaps), waits))
        yield batch.connected()
        yield batch.by_first_shot()
        yield batch.spread("the later start to connected", waits, unit="s", at_most=LATEST_S)


def _by_time(scenario: Scenario) -> SessionRun:
    time.sleep(SPACING_S)
    return meet(scenario, ("--port", str(PORT), "--at", soon()), forget=False)


def _by_secret(scenario: Scenario, gap_s: float, waits: list[float | None]) -> SessionRun:
    env = {"MIDAIR_SECRET": secret_of(1)}
    run = meet(scenario, environment={"a": env, "b": env}, b_after_s=gap_s)
    connected = run.peers["b"].event("connected")
    waits.append(None if connected is None else connected["elapsed_ms"] / 1e3)
    return run

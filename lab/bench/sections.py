"""The benchmark's sections: which labs, how many sessions, and what is wanted of them.

Each section is a generator: it yields :class:`~lab.bench.batch.Progress` after every session and a
:class:`~lab.bench.figures.Figure` whenever one is ready.
"""

from __future__ import annotations

import functools
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

from lab.bench import stage
from lab.bench.batch import Batch, Session, Step
from lab.bench.clockstep import stepped_session
from lab.bench.figures import Figure, spread
from lab.options import LabOptions
from lab.scenario import Scenario, SessionRun, installed_script
from lab.topology import Answer, LinkSpec, RouterSpec, WorldSpec

DELAY_MS = 20.0
"""One way, router to router; the round trip is twice that."""
RTT_MS = 2 * DELAY_MS
CLOCK_A_S, CLOCK_B_S = 3.7, -41.0
FALSETICKER_S = 3.7
"""Wrong by more than the servers' root distance of 3 s: less is within what they admit."""
SKEWS_MS = (0.0, 25.0, 60.0, 333.0, 1500.0)
NEAR_SKEWS_MS = (0.0, 0.2, 5.0, 50.0)
"""Without delay."""
ANSWERS: tuple[Answer, ...] = ("rst", "icmp", "drop")
SYN_BUDGET = 5_000

CROSSING_RUNS, CROSSING_FIRST_SHOT = 50, 49
VARIANT_RUNS = 10
GRID_RUNS = 20
CLOCK_RUNS = 10
SPEED_RUNS = 30
HELP_RUNS = 10
VERDICT_RUNS = 3

MARGIN_MS = 15.0
AFTER_LATER_MS = RTT_MS + MARGIN_MS
BOTH_OPEN_MS = RTT_MS + DELAY_MS + MARGIN_MS
"""The early peer's shot that succeeds may leave as late as the other's SYN arrives."""
CLOCKS_APART_MS = 2.0
SINCE_REPORT_MS = 350 + 3 * RTT_MS
ELAPSED_MS = 400 + 12 * RTT_MS
HELP_MS = 200.0
PEER_TIMEOUT_MS = 30_000.0


def options(**changes: Any) -> LabOptions:
    """Make the lab of the main job: two NATs that answer RST, wrong clocks, 20 ms one way."""
    values: dict[str, Any] = {
        "world": WorldSpec.symmetric(LinkSpec(delay_ms=DELAY_MS)),
        "clock_a_s": CLOCK_A_S,
        "clock_b_s": CLOCK_B_S,
    }
    return LabOptions(**{**values, **changes})


IPV6_FIREWALLS = WorldSpec.symmetric(
    LinkSpec(delay_ms=DELAY_MS),
    RouterSpec.named("firewall"),
    RouterSpec.named("firewall"),
    ipv4=False,
    ipv6=True,
)

VARIANTS: dict[str, tuple[RouterSpec, RouterSpec]] = {
    "remapped ports": (RouterSpec.named("remapped"), RouterSpec.named("remapped")),
    "firewalls, IPv4": (RouterSpec.named("firewall"), RouterSpec.named("firewall")),
    "no NAT on one side": (RouterSpec.named("none"), RouterSpec()),
    "routers that drop": (RouterSpec(answer="drop"), RouterSpec(answer="drop")),
    "routers that send ICMP": (RouterSpec(answer="icmp"), RouterSpec(answer="icmp")),
}


def crossing() -> Iterator[Step]:
    """Point 1: crossing SYNs, and other routers."""
    with stage.staged(options()) as scenario:
        batch = Batch("crossing", "NATs that RST", CROSSING_RUNS, scenario)
        yield from batch.run()
        yield batch.connected()
        yield batch.counted(
            "by the first shot",
            [bool(row.first_shot) for row in batch.rows],
            CROSSING_FIRST_SHOT,
        )
        yield batch.counted(
            "SYNs crossed, no listener", [row.crossed for row in batch.rows], CROSSING_FIRST_SHOT
        )
        yield spread("crossing", "first SYNs apart", batch.values("skew_ms"))
        for what, routers in VARIANTS.items():
            stage.set_routers(scenario.world, *routers)
            variant = Batch("crossing", what, VARIANT_RUNS, scenario)
            yield from variant.run()
            yield variant.connected()
    with stage.staged(options(world=IPV6_FIREWALLS)) as scenario:
        variant = Batch("crossing", "firewalls, IPv6", VARIANT_RUNS, scenario)
        yield from variant.run()
        yield variant.connected()


def refire() -> Iterator[Step]:
    """Point 2: skews that one round trip cannot hide."""
    with stage.staged(options()) as scenario:
        for answer in ANSWERS:
            router = RouterSpec(answer=answer)
            stage.set_routers(scenario.world, router, router)
            for skew_ms in SKEWS_MS:
                what = f"{answer}, skew {skew_ms:g} ms"
                batch = Batch("refire", what, GRID_RUNS, scenario)
                yield from batch.run(functools.partial(stage.skewed, scenario, skew_ms))
                yield batch.connected()
                yield from _after_later(batch, AFTER_LATER_MS, BOTH_OPEN_MS)


def near() -> Iterator[Step]:
    """Point 2 without any delay: on this host, with a processor for each peer."""
    with stage.staged(options(world=WorldSpec())) as scenario:
        stage.pin_apart(scenario.world)
        for skew_ms in NEAR_SKEWS_MS:
            what = f"no delay, skew {skew_ms:g} ms"
            batch = Batch("near", what, GRID_RUNS, scenario)
            yield from batch.run(functools.partial(stage.skewed, scenario, skew_ms))
            yield batch.connected()
            yield from _after_later(batch, MARGIN_MS, MARGIN_MS)
            yield spread(
                "near",
                f"{what}: SYNs of a peer, an attempt",
                batch.syns,
                unit="",
                at_most=SYN_BUDGET,
            )


def _after_later(batch: Batch, later_ms: float, both_ms: float) -> Iterator[Figure]:
    for what, values, at_most in (
        ("the later peer's first SYN to its open", batch.later_open_ms, later_ms),
        ("the same to both open", batch.values("after_later_ms"), both_ms),
    ):
        yield spread(
            batch.section, f"{batch.what}: {what}", values, statistic="p95", at_most=at_most
        )


def clock() -> Iterator[Step]:
    """Point 3: what the peers know of the time, and what can be wrong with it."""
    blocked, free = RouterSpec(block_ntp=True), RouterSpec()
    with stage.staged(options()) as scenario:
        for what, routers in {
            "normal": (free, free),
            "NTP blocked on one side": (blocked, free),
            "NTP blocked on both": (blocked, blocked),
        }.items():
            stage.set_routers(scenario.world, *routers)
            yield from _clock(what, scenario)
        stage.set_routers(scenario.world, free, free)
        if stage.can_step_clock():
            yield from _clock("stepped by an hour", scenario, lambda: stepped_session(scenario)[0])
    wrong = options(rendezvous_clock_s=3600.0)
    with stage.staged(wrong) as scenario:
        yield from _clock("rendezvous an hour wrong", scenario)
        stage.set_routers(scenario.world, blocked, blocked)
        yield from _clock("the same, NTP blocked", scenario)
    falseticker = options(time_server_errors_s=(0.0, 0.0, 0.0, FALSETICKER_S))
    with stage.staged(falseticker) as scenario:
        yield from _clock("a falseticker among four", scenario)


def _clock(what: str, scenario: Scenario, session: Session | None = None) -> Iterator[Step]:
    batch = Batch("clock", what, CLOCK_RUNS, scenario)
    yield from batch.run(session)
    yield batch.counted(
        "connected by the first shot", [bool(row.first_shot) for row in batch.rows], 0
    )
    yield batch.counted("within bounds", [bool(row.within_bounds) for row in batch.rows])
    yield spread(
        "clock",
        f"{what}: corrected clocks apart",
        batch.values("clock_difference_ms"),
        at_most=CLOCKS_APART_MS,
    )


def speed() -> Iterator[Step]:
    """Point 4: how long it takes."""
    with stage.staged(options()) as scenario:
        batch = Batch("speed", "20 ms one way", SPEED_RUNS, scenario)
        yield from batch.run()
        for what, name, at_most in (
            ("second report to connected", "since_report_ms", SINCE_REPORT_MS),
            ("imports to connected", "elapsed_ms", ELAPSED_MS),
        ):
            yield spread("speed", what, batch.values(name), statistic="median", at_most=at_most)


def start() -> Iterator[Step]:
    """Point 4: the command's own start, on this host."""
    argv = [installed_script("midair"), "--help"]
    took_ms: list[float | None] = []
    for _ in range(HELP_RUNS):
        before = time.monotonic()
        subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
        took_ms.append((time.monotonic() - before) * 1e3)
    yield spread("start", "midair --help", took_ms, statistic="median", at_most=HELP_MS)


def unpredictable() -> Iterator[Step]:
    """Point 5: NATs that give every flow a random port."""
    random, plain = RouterSpec.named("random"), RouterSpec()
    with stage.staged(options()) as scenario:
        for what, routers in {
            "random ports on one side": (random, plain),
            "random ports on both": (random, random),
        }.items():
            stage.set_routers(scenario.world, *routers)
            batch = Batch("unpredictable", what, VERDICT_RUNS, scenario)
            ends_ms: list[float | None] = []

            def session(ends_ms: list[float | None] = ends_ms) -> SessionRun:
                run = scenario.run()
                ends = (peer.event("failed") for peer in run.peers.values())
                ends_ms.append(max((end["t_ms"] for end in ends if end), default=None))
                return run

            yield from batch.run(session)
            said = [
                row.exit_codes == (5, 5) and row.verdict == "mapping_unpredictable"
                for row in batch.rows
            ]
            yield batch.counted("exit 5 and its verdict", said)
            yield spread(
                "unpredictable", f"{what}: to the verdict", ends_ms, at_most=PEER_TIMEOUT_MS
            )


GUEST: dict[str, Callable[[], Iterator[Step]]] = {
    "crossing": crossing,
    "refire": refire,
    "clock": clock,
    "speed": speed,
    "unpredictable": unpredictable,
}
"""Sections that need delay."""
HOST: dict[str, Callable[[], Iterator[Step]]] = {"near": near, "start": start}
"""Sections that would measure the guest instead."""

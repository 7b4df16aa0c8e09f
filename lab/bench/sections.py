"""The benchmark's sections: which labs, how many sessions, and what is wanted of them.

Each section is a generator: it yields :class:`~lab.bench.batch.Progress` after every session and a
:class:`~lab.bench.figures.Figure` whenever one is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lab.bench import stage
from lab.bench.aim import aim
from lab.bench.batch import Batch, Session, Step
from lab.bench.clockstep import stepped_session
from lab.bench.grid import grid
from lab.bench.labs import DELAY_MS as DELAY_MS
from lab.bench.labs import RTT_MS
from lab.bench.labs import options as options
from lab.bench.load.section import load
from lab.bench.meet import section as meet
from lab.bench.skews import ANSWERS as ANSWERS
from lab.bench.skews import NEAR_SKEWS_MS as NEAR_SKEWS_MS
from lab.bench.skews import SKEWS_MS as SKEWS_MS
from lab.bench.skews import SYN_BUDGET as SYN_BUDGET
from lab.bench.skews import near, refire
from lab.bench.start import start
from lab.bench.streams.section import streams
from lab.scenario import Scenario, SessionRun
from lab.topology import LinkSpec, RouterSpec, WorldSpec

FALSETICKER_S = 3.7
"""Wrong by more than the servers' root distance of 3 s: less is within what they admit."""

CROSSING_RUNS, CROSSING_FIRST_SHOT = 50, 49
VARIANT_RUNS = 10
CLOCK_RUNS = 10
SPEED_RUNS = 30
VERDICT_RUNS = 3

CLOCKS_APART_MS = 2.0
SINCE_REPORT_MS = 350 + 3 * RTT_MS
ELAPSED_MS = 400 + 12 * RTT_MS
PEER_TIMEOUT_MS = 30_000.0

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
    """Crossing SYNs, and other routers."""
    with stage.staged(options()) as scenario:
        batch = Batch("crossing", "NATs that RST", CROSSING_RUNS, scenario)
        yield from batch.run()
        yield batch.connected()
        yield batch.by_first_shot(CROSSING_FIRST_SHOT)
        yield batch.counted(
            "SYNs crossed, no listener", [row.crossed for row in batch.rows], CROSSING_FIRST_SHOT
        )
        yield batch.spread("first SYNs apart", batch.values("skew_ms"))
        for what, routers in VARIANTS.items():
            stage.set_routers(scenario.world, *routers)
            variant = Batch("crossing", what, VARIANT_RUNS, scenario)
            yield from variant.run()
            yield variant.connected()
    with stage.staged(options(world=IPV6_FIREWALLS)) as scenario:
        variant = Batch("crossing", "firewalls, IPv6", VARIANT_RUNS, scenario)
        yield from variant.run()
        yield variant.connected()


def clock() -> Iterator[Step]:
    """What the peers know of the time, and what can be wrong with it."""
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
    yield batch.connected()
    yield batch.by_first_shot()
    yield batch.counted(
        "within bounds", [bool(row.within_bounds) for row in batch.rows], batch.runs
    )
    yield batch.spread(
        "corrected clocks apart", batch.values("clock_difference_ms"), at_most=CLOCKS_APART_MS
    )


def speed() -> Iterator[Step]:
    """How long it takes."""
    with stage.staged(options()) as scenario:
        batch = Batch("speed", "20 ms one way", SPEED_RUNS, scenario)
        yield from batch.run()
        for what, name, at_most in (
            ("second report to connected", "since_report_ms", SINCE_REPORT_MS),
            ("imports to connected", "elapsed_ms", ELAPSED_MS),
        ):
            yield batch.spread(what, batch.values(name), statistic="median", at_most=at_most)


def unpredictable() -> Iterator[Step]:
    """NATs that give every flow a random port."""
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
            yield batch.counted("exit 5 and its verdict", said, batch.runs)
            yield batch.spread("to the verdict", ends_ms, at_most=PEER_TIMEOUT_MS)


GUEST: dict[str, Callable[[], Iterator[Step]]] = {
    "crossing": crossing,
    "refire": refire,
    "grid": grid,
    "clock": clock,
    "speed": speed,
    "meet": meet,
    "unpredictable": unpredictable,
}
"""Sections that need delay."""
HOST: dict[str, Callable[[], Iterator[Step]]] = {
    "near": near,
    "aim": aim,
    "load": load,
    "start": start,
    "streams": streams,
}
"""Sections that would measure the guest instead."""

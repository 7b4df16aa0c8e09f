"""The figures of bytes through loopback."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from lab.bench.batch import Progress, Step
from lab.bench.figures import Figure, counted, spread
from lab.bench.load.programs import ProgramError, serving
from lab.bench.streams.ends import Way, all_cpu_s, peaks_mb
from lab.bench.streams.files import FileWay, file_rate, midair_files, wormhole
from lab.bench.streams.forward import STUCK, echoes_ms, forward, forward_way, stuck_mb
from lab.bench.streams.ways import certificate, pipe, rivals
from lab.process import missing_programs

SECTION = "streams"
ROUNDS, OCTETS = 5, 256 << 20
READ = 1 << 20
PIPE, FORWARD, FILES = "midair pipe", "midair forward", "midair send"
RELAY = "midair pipe, relayed"
OURS = (PIPE, FORWARD, FILES, RELAY)
SOCAT, SOCAT_TLS, NCAT = "socat", "socat OPENSSL", "ncat --ssl"
WORMHOLE, WORMHOLE_RELAY = "wormhole", "wormhole, relayed"
RATIOS: dict[tuple[str, str], float | None] = {
    (PIPE, SOCAT): None,
    (PIPE, SOCAT_TLS): 1.2,
    (PIPE, NCAT): None,
    (PIPE, WORMHOLE): 5.0,
    (FORWARD, PIPE): 0.8,
    (RELAY, WORMHOLE_RELAY): 2.0,
    (FILES, WORMHOLE): None,
}
"""Of whose rates, and what the median is wanted to be."""
ECHO_MS = 0.5
MEMORY_MB = 80.0
NEEDED = ("socat", "ncat", "openssl", "taskset", "bash")


@dataclass(frozen=True, slots=True)
class Transfer:
    """What came of one transfer."""

    mb_s: float
    """From the first octet at the sink to the last, in 10^6 octets a second."""
    peak_mb: float
    """Of the program that needed more memory (VmHWM), in 10^6 octets."""
    whole: bool
    """Every octet came. ncat loses the last ones in some runs."""
    cpu_s_gb: float = 0.0
    """Processor time of both programs together, in seconds for 10^9 octets; 0: not measured."""


Act = Callable[[], Transfer]


def streams() -> Iterator[Step]:
    """Bytes through loopback: midair beside socat, ncat and magic-wormhole."""
    if missing := missing_programs(NEEDED):
        raise ProgramError(
            f"missing: {', '.join(missing)}; install with: apt-get install socat ncat"
        )
    with certificate() as pem, serving(0) as server, wormhole() as rival:
        host, port = server.target["http"]
        url = f"http://{host}:{port}"
        acts: dict[str, Act] = {name: _act(way) for name, way in rivals(pem).items()}
        acts |= {
            PIPE: _act(pipe(url)),
            FORWARD: _act(forward_way(url)),
            RELAY: _act(pipe(url, "--relay", "only")),
            FILES: _file_act(midair_files(url)),
            WORMHOLE: _file_act(rival.way(relayed=False)),
            WORMHOLE_RELAY: _file_act(rival.way(relayed=True)),
        }
        done: dict[str, list[Transfer]] = {name: [] for name in acts}
        for number in range(1, ROUNDS + 1):
            for name, act in acts.items():
                done[name].append(act())
                yield _progress(name, number, ROUNDS, asdict(done[name][-1]))
        yield from _figures(done)
        yield from _echoes(url)
        yield from _stuck(url)


def _figures(done: dict[str, list[Transfer]]) -> Iterator[Figure]:
    for name, transfers in done.items():
        yield spread(SECTION, f"rate, {name}", [one.mb_s for one in transfers], unit="MB/s")
        at_least = len(transfers) if name in OURS else None
        whole = [one.whole for one in transfers]
        yield counted(SECTION, f"arrived whole, {name}", whole, at_least=at_least)
    for (ours, theirs), wanted in RATIOS.items():
        # Of the same round: what disturbed one most likely disturbed the other.
        pairs = zip(done[ours], done[theirs], strict=True)
        # A round in which the other one broke down has none.
        ratios = [our.mb_s / their.mb_s for our, their in pairs if their.mb_s]
        yield spread(
            SECTION, f"{ours} / {theirs}", ratios, unit="", statistic="median", at_least=wanted
        )
    for name, transfers in done.items():
        if cpus := [one.cpu_s_gb for one in transfers if one.cpu_s_gb]:
            yield spread(SECTION, f"processor time, {name}", cpus, unit="s/GB", statistic="median")
    for name, transfers in done.items():
        at_most = MEMORY_MB if name in OURS else None
        peaks = [one.peak_mb for one in transfers]
        yield spread(SECTION, f"peak memory, {name}", peaks, unit="MB", at_most=at_most)


def _echoes(url: str) -> Iterator[Step]:
    rounds: list[list[float]] = []
    for number in range(1, ROUNDS + 1):
        with forward(url) as running:
            rounds.append(echoes_ms(running))
        median = statistics.median(rounds[-1])
        yield _progress(f"{FORWARD}, echo", number, ROUNDS, {"median_ms": median})
    every: list[float | None] = [one for each in rounds for one in each]
    what = f"echo round trip, {FORWARD}"
    yield spread(SECTION, what, every, unit="ms", statistic="median", at_most=ECHO_MS)


def _stuck(url: str) -> Iterator[Step]:
    with forward(url) as running:
        peak = stuck_mb(running)
    what = f"peak memory, {STUCK} readers that stand still"
    yield _progress(what, 1, 1, {"peak_mb": peak})
    yield spread(SECTION, what, [peak], unit="MB", at_most=MEMORY_MB)


def _progress(what: str, run: int, runs: int, facts: dict[str, float]) -> Progress:
    return Progress(section=SECTION, what=what, run=run, runs=runs, facts=facts, events={})


def _act(way: Way) -> Act:
    return lambda: transfer(way)


def _file_act(way: FileWay) -> Act:
    return lambda: Transfer(*file_rate(way, OCTETS))


def transfer(way: Way, octets: int = OCTETS) -> Transfer:
    """Send zeros one way.

    Args:
        way: through loopback.
        octets: how many.
    """
    buffer = memoryview(bytearray(READ))
    with way(octets) as ends, open(ends.sink, "rb", buffering=0, closefd=False) as sink:
        first = got = sink.readinto(buffer) or 0
        begun_s = last_s = time.monotonic()
        begun_cpu_s, cpu_s_gb, peak = all_cpu_s(ends.programs), 0.0, 0.0
        while size := sink.readinto(buffer):
            got += size
            last_s = time.monotonic()  # what a program does to end is not in a rate
            # Near the end, since a program that has ended tells no more.
            if got >= octets - 2 * READ and not peak:
                peak = peaks_mb(ends.programs)
                cpu_s_gb = (all_cpu_s(ends.programs) - begun_cpu_s) / (got - first) * 1e9
        return Transfer((got - first) / (last_s - begun_s) / 1e6, peak, got == octets, cpu_s_gb)

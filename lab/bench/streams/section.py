"""The figures of bytes through loopback."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.bench.batch import Progress, Step
from lab.bench.figures import Figure, counted, spread
from lab.bench.load.programs import ProgramError, serving
from lab.bench.streams.ways import Program, Way, certificate, pipe, rivals
from lab.process import kill_all, missing_programs, start

SECTION = "streams"
ROUNDS, OCTETS = 5, 256 << 20
READ = 1 << 20
PIPE, SOCAT_TLS = "midair pipe", "socat OPENSSL"
PIPE_TIMES_SOCAT_TLS = 1.2
MEMORY_MB = 80.0
NEEDED = ("socat", "ncat", "openssl", "taskset")


@dataclass(frozen=True, slots=True)
class Transfer:
    """What came of one transfer."""

    mb_s: float
    """From the first byte at the sink to the last, in 10^6 octets a second."""
    peak_mb: float
    """Of the program that needed more memory (VmHWM), in 10^6 octets."""
    whole: bool
    """Every byte came. ncat loses the last ones in some runs."""


def streams() -> Iterator[Step]:
    """Bytes through loopback: midair's pipe beside socat and ncat."""
    if missing := missing_programs(NEEDED):
        raise ProgramError(
            f"missing: {', '.join(missing)}; install with: apt-get install socat ncat"
        )
    with certificate() as pem, serving(0) as server:
        host, port = server.target["http"]
        ways = {**rivals(pem), PIPE: pipe(f"http://{host}:{port}")}
        done: dict[str, list[Transfer]] = {name: [] for name in ways}
        for number in range(1, ROUNDS + 1):
            for name, way in ways.items():
                done[name].append(transfer(way))
                yield Progress(
                    section=SECTION,
                    what=name,
                    run=number,
                    runs=ROUNDS,
                    facts=asdict(done[name][-1]),
                    events={},
                )
    yield from _figures(done)


def _figures(done: dict[str, list[Transfer]]) -> Iterator[Figure]:
    for name, transfers in done.items():
        yield spread(SECTION, f"rate, {name}", [one.mb_s for one in transfers], unit="MB/s")
        at_least = len(transfers) if name == PIPE else None
        whole = [one.whole for one in transfers]
        yield counted(SECTION, f"arrived whole, {name}", whole, at_least=at_least)
    for name in [name for name in done if name != PIPE]:
        # Of the same round: what disturbed one most likely disturbed the other.
        ratios = [
            ours.mb_s / theirs.mb_s for ours, theirs in zip(done[PIPE], done[name], strict=True)
        ]
        wanted = PIPE_TIMES_SOCAT_TLS if name == SOCAT_TLS else None
        yield spread(
            SECTION, f"{PIPE} / {name}", ratios, unit="", statistic="median", at_least=wanted
        )
    peaks = [one.peak_mb for one in done[PIPE]]
    yield spread(SECTION, f"peak memory, {PIPE}", peaks, unit="MB", at_most=MEMORY_MB)


def transfer(way: Way, octets: int = OCTETS) -> Transfer:
    """Send zeros one way.

    Args:
        way: through loopback.
        octets: how many.
    """
    source = start(["head", "-c", str(octets), "/dev/zero"], environment={}, stdout=subprocess.PIPE)
    try:
        with way(source) as ends:
            assert ends.receiver.stdout is not None
            assert source.stdout is not None
            # Else the source would never learn that its reader has gone.
            source.stdout.close()
            buffer = memoryview(bytearray(READ))
            sink = ends.receiver.stdout.fileno()
            with open(sink, "rb", buffering=0, closefd=False) as reader:
                first = got = reader.readinto(buffer) or 0
                begun_s = time.monotonic()
                peak = 0.0
                # Near the end, since a program that has ended tells no more.
                while size := reader.readinto(buffer):
                    got += size
                    if got >= octets - 2 * READ and not peak:
                        peak = max(_peak_mb(ends.receiver), _peak_mb(ends.sender))
                took_s = time.monotonic() - begun_s
            return Transfer((got - first) / took_s / 1e6, peak, got == octets)
    finally:
        kill_all([source])


def _peak_mb(program: Program) -> float:
    """Read a program's greatest resident memory (VmHWM of proc(5)) in MB; 0 once it has ended."""
    try:
        text = Path(f"/proc/{program.pid}/status").read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0

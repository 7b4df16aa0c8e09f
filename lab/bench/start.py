"""The benchmark's section on how long the commands take to begin."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator

from lab.bench.batch import Step
from lab.bench.figures import spread
from lab.bench.load.programs import ProgramError, serving
from lab.process import kill_all
from lab.process import start as start_program
from lab.scenario import installed_script

HELP_RUNS = 10
HELP_MS = 150.0
CODE_RUNS = 10


def start() -> Iterator[Step]:
    """The commands' own start, on this host."""
    argv = [installed_script("midair"), "--help"]
    took_ms: list[float | None] = []
    for _ in range(HELP_RUNS):
        before = time.monotonic()
        subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
        took_ms.append((time.monotonic() - before) * 1e3)
    yield spread("start", "midair --help", took_ms, statistic="median", at_most=HELP_MS)
    with serving(min(os.sched_getaffinity(0))) as server:
        host, port = server.target["http"]
        took_ms = [_to_its_code_ms(f"http://{host}:{port}") for _ in range(CODE_RUNS)]
    yield spread("start", "midair listen, to its code", took_ms, statistic="median")


def _to_its_code_ms(url: str) -> float:
    """Start a listener, everything that it imports included, and read up to its code."""
    argv = [installed_script("midair"), "listen", "--json", "--rendezvous", url]
    before = time.monotonic()
    program = start_program(argv, environment={}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert program.stderr is not None
    try:
        with contextlib.closing(program.stderr):
            line = program.stderr.readline()
            took_ms = (time.monotonic() - before) * 1e3
    finally:
        kill_all([program])
    if b'"code"' not in line:
        raise ProgramError(f"midair listen made no code: {line!r}")
    return took_ms

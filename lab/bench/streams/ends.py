"""What every way through loopback has: its programs, where they run, where bytes come out."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.bench.load.programs import ProgramError
from lab.process import cpu_s, kill_all, start
from lab.scenario import installed_script

HOST = "127.0.0.1"
RECEIVER, SENDER = 0, 1
"""Processors, for every program compared: one for each end, as on two hosts. (On one alone, each of
midair's SYNs would be refused before the other one is sent.) Source and sink run anywhere."""
_NO_NTP = f"{HOST}:9"
_READY_WITHIN_S = 20.0
_LISTEN = "0A"
"""The state in /proc/net/tcp (proc(5))."""

Program = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Ends:
    """A transfer that has begun."""

    sink: int
    """The descriptor where the bytes come out."""
    programs: tuple[Program, ...]
    """Those that are compared: neither source nor sink."""


Way = Callable[[int], contextlib.AbstractContextManager[Ends]]
"""Takes how many octets; sends zeros."""


def zeros(octets: int) -> list[str]:
    """Return the command of the source."""
    return ["head", "-c", str(octets), "/dev/zero"]


def run(processor: int | None, argv: Sequence[str | Path], **options: Any) -> Program:
    """Start a program on a processor; None: on any."""
    pinned = [] if processor is None else ["taskset", "-c", str(processor)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return start([*pinned, *map(str, argv)], environment={}, **{**quiet, **options})


@contextlib.contextmanager
def ended(programs: list[Program]) -> Iterator[list[Program]]:
    """End programs, and those that were added meanwhile, behind the block."""
    try:
        yield programs
    finally:
        kill_all(programs)
        for program in programs:
            for end in (program.stdout, program.stderr):
                if end is not None:
                    end.close()


def free_port() -> int:
    """Return a port of loopback that nobody has."""
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait for a listener; a connection to try it would be the one that it serves.

    Raises:
        ProgramError: there is none.
    """
    until_s = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until_s:
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                return
        time.sleep(0.005)
    raise ProgramError(f"nothing listens on port {port}")


def midair(command: str, url: str, *options: str) -> list[str]:
    """Return a command of midair.

    Args:
        command: "listen", "connect", "send" or "receive".
        url: of the rendezvous.
        options: more of them.
    """
    common = ["--json", "--rendezvous", url, "--ntp", _NO_NTP]
    return [installed_script("midair"), command, *common, *options]


def heard(program: Program, name: str) -> Any:
    """Wait until a midair says a word with --json on its standard error.

    Args:
        program: with a pipe there.
        name: the key, or the event, that is waited for.

    Returns:
        The key's value, or the event.

    Raises:
        ProgramError: it ended without.
    """
    assert program.stderr is not None
    said = b""
    for said in program.stderr:
        event = json.loads(said)
        if name in event:
            return event[name]
        if event.get("event") == name:
            return event
    raise ProgramError(f"midair ended without {name!r}: {said!r}")


def peak_mb(program: Program) -> float:
    """Read a program's greatest resident memory (VmHWM of proc(5)) in MB; 0 once it has ended."""
    try:
        text = Path(f"/proc/{program.pid}/status").read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def all_cpu_s(programs: Iterable[Program]) -> float:
    """Return the processor time that programs have had, in seconds; of one that is gone 0."""
    total_s = 0.0
    for program in programs:
        with contextlib.suppress(OSError):
            total_s += cpu_s(program.pid)
    return total_s


def peaks_mb(programs: Iterable[Program]) -> float:
    """Return the peak of the program that needed most."""
    return max(map(peak_mb, programs), default=0.0)

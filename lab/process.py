"""Starting programs so that they end with the lab, and ending them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.system import environment as system_environment
from lab.system import find, in_guest

_FAKETIME_FOLDERS = "/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime"


def start(
    argv: Sequence[str], *, environment: Mapping[str, str], **options: Any
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, killed when the starting thread ends.

    Args:
        argv: the program and its arguments.
        environment: added to this process's own.
        options: of :class:`subprocess.Popen`; standard input is empty unless given.
    """
    # A guest dies whole; there the extra program is not worth its 60 ms.
    tether = [] if in_guest() else ["setpriv", "--pdeathsig", "KILL"]
    return subprocess.Popen(
        [*tether, *argv],
        start_new_session=True,
        env=system_environment(**environment),
        **{"stdin": subprocess.DEVNULL, **options},
    )


def kill_all(programs: Iterable[subprocess.Popen[bytes]]) -> None:
    """Kill programs with all their process groups, and reap them."""
    programs = list(programs)
    for program in programs:
        if program.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
    for program in programs:
        program.wait()


def kill_inhabitants(inodes: set[int]) -> None:
    """Kill every process whose network namespace is one of these (inodes of /proc/*/ns/net)."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if (folder / "ns/net").stat().st_ino in inodes:
                os.kill(int(folder.name), signal.SIGKILL)


def stat_fields(pid: int) -> list[str]:
    """Read /proc/PID/stat (proc(5)) from its third field, the state, on.

    Raises:
        OSError: there is no such process.
    """
    # Behind the name, which may hold anything.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_s(pid: int) -> float:
    """Return how much processor time a process has used, the kernel's for it included.

    Raises:
        OSError: there is no such process.
    """
    user, system = stat_fields(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def clock_error(seconds: float) -> dict[str, str]:
    """Return the environment that makes a program's wall clock wrong by so much (fast: positive).

    Raises:
        FileNotFoundError: libfaketime is not installed.
    """
    if not seconds:
        return {}
    for pattern in _FAKETIME_FOLDERS:
        for path in sorted(Path("/").glob(f"{pattern[1:]}/libfaketime.so.1")):
            return {"LD_PRELOAD": str(path), "FAKETIME": f"{seconds:+.6f}s"}
    raise FileNotFoundError("libfaketime.so.1")


def missing_programs(names: Iterable[str]) -> list[str]:
    """Return those programs that are not in PATH or the system folders."""
    return [name for name in names if find(name) is None]

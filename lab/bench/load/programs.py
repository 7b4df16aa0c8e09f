"""The server under load and its clients, as processes, each kind on a processor of its own."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.process import cpu_s, kill_all, start, stat_fields
from lab.scenario import installed_script

_HOST = "127.0.0.1"
_SETTINGS = {
    "MIDAIR_RENDEZVOUS_VISITS": "1000000",
    "MIDAIR_RENDEZVOUS_REFLECTOR_SOCKETS": "1000",
}
"""Thousands of sessions come from a few addresses here; and most of the sockets that this process
may have are wanted for HTTP. Everything else is as a user has it."""
_ENDS_WITHIN_S = 20.0
_PAGE = os.sysconf("SC_PAGESIZE")


class ProgramError(Exception):
    """A program of the load did not do its part; the text is what it said."""


def processors() -> tuple[int, int]:
    """Choose a processor for the server and one for its clients.

    Raises:
        ValueError: there is only one.
    """
    own = sorted(os.sched_getaffinity(0))
    if len(own) < 2:
        raise ValueError("the server and its clients need a processor each")
    return own[0], own[1]


@dataclass(slots=True)
class Server:
    """A running rendezvous."""

    process: subprocess.Popen[bytes]
    target: dict[str, Any]

    def rss(self) -> int:
        """Return its resident memory in octets."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * _PAGE

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_s(self) -> float:
        """Return how much processor time it has used, the kernel's for it included."""
        return cpu_s(self.process.pid)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let it do nothing in the block, as if there were only the others."""
        self.process.send_signal(signal.SIGSTOP)
        while stat_fields(self.process.pid)[0] != "T":
            time.sleep(0.001)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Return its exit code."""
        return self.process.wait(_ENDS_WITHIN_S)


@contextlib.contextmanager
def serving(processor: int, descriptors: int = 0) -> Iterator[Server]:
    """Run ``midair-rendezvous`` on free ports of loopback, on one processor.

    Args:
        processor: where.
        descriptors: it needs at least so many; 0: as the limits are.

    Raises:
        ProgramError: it did not start.
    """
    command = [installed_script("midair-rendezvous"), "--host", _HOST, "--port", "0", "--json"]
    command += ["--reflector", f"{_HOST}:0"] * 2
    with _limited(descriptors):
        process = start(
            ["taskset", "-c", str(processor), *command],
            environment=_SETTINGS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        if b'"ready"' not in line:
            raise ProgramError(f"the rendezvous did not start: {line!r}")
        ready = json.loads(line)
        (http,) = (text.removeprefix("http://") for text in ready["http"])
        reflectors = [_split(text) for text in ready["reflectors"]]
        yield Server(process, {"http": _split(http), "reflectors": reflectors})
    finally:
        kill_all([process])
        if process.stderr is not None:
            process.stderr.close()


def _split(text: str) -> list[str | int]:
    host, _, port = text.rpartition(":")
    return [host, int(port)]


@contextlib.contextmanager
def _limited(descriptors: int) -> Iterator[None]:
    """Let programs that are started meanwhile open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard >= descriptors:
        yield
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, descriptors))
    except (OSError, ValueError):
        raise ProgramError(
            f"this needs {descriptors} open files and {hard} are allowed: ulimit -Hn {descriptors}"
        ) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Clients:
    """Context manager: a process of load clients."""

    def __init__(self, processor: int, order: dict[str, Any]) -> None:
        command = [sys.executable, "-m", "lab.bench.load.clients", json.dumps(order)]
        self._process = start(
            ["taskset", "-c", str(processor), *command],
            environment={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def tell(self, fields: dict[str, Any]) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fields).encode() + b"\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Read a line from it.

        Raises:
            ProgramError: it ended instead.
        """
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._process.stderr.read().decode(errors="replace").strip()
            raise ProgramError(f"the load clients ended: {said}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_: object) -> None:
        kill_all([self._process])
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


def pairing_order(
    server: Server, *, couples: int, warm_up: int, rounds: int, each: int, fresh: bool = False
) -> dict[str, Any]:
    """Make the order of clients that pair."""
    counts = {"couples": couples, "warm_up": warm_up, "rounds": rounds, "each": each}
    return {"do": "pair", "target": server.target, "fresh": fresh, **counts}


def waiting_order(server: Server, waiters: int) -> dict[str, Any]:
    """Make the order of clients that wait."""
    return {"do": "wait", "target": server.target, "waiters": waiters}


Lines = Sequence[dict[str, Any]]

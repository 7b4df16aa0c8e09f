"""A file through loopback: midair's send and receive beside magic-wormhole's."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.bench.load.programs import ProgramError
from lab.bench.streams.ends import (
    HOST,
    RECEIVER,
    SENDER,
    Program,
    ended,
    free_port,
    heard,
    midair,
    peaks_mb,
    run,
    wait_for,
)

RIVALS = Path(sys.prefix, "rivals", "bin")
"""Where `make bench` installs requirements/rivals.txt."""
_LOOK_S = 0.002
_TRANSFER_WITHIN_S = 60.0

FileWay = Callable[[Path, Path], contextlib.AbstractContextManager[tuple[Program, ...]]]
"""Takes the file and the folder where it goes; gives the programs."""


@dataclass(frozen=True, slots=True)
class Wormhole:
    """Servers of magic-wormhole on loopback, and how its commands reach them."""

    options: tuple[str, ...]

    def way(self, *, relayed: bool) -> FileWay:
        """Return a transfer.

        Args:
            relayed: through the transit relay; else straight.
        """
        direct = ["--no-listen"] if relayed else []

        @contextlib.contextmanager
        def way(file: Path, folder: Path) -> Iterator[tuple[Program, ...]]:
            code = "1-loop-back"
            command: list[str | Path] = [RIVALS / "wormhole", *self.options]
            send = [*command, "send", "--hide-progress", *direct, "--code", code, file]
            receive = [*command, "receive", "--hide-progress", "--accept-file", *direct]
            with ended([run(SENDER, send)]) as programs:
                programs.append(run(RECEIVER, [*receive, "-o", folder / "file", code]))
                yield tuple(programs)

        return way


@contextlib.contextmanager
def wormhole() -> Iterator[Wormhole]:
    """Run magic-wormhole's mailbox and its transit relay.

    Raises:
        ProgramError: they are not installed, or do not start.
    """
    twist = RIVALS / "twist"
    if not twist.exists():
        raise ProgramError("magic-wormhole is missing; `make bench` installs it")
    mailbox, transit = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder, ended([]) as programs:
        for plugin, port in (("wormhole-mailbox", mailbox), ("transitrelay", transit)):
            listen = [plugin, "--port", f"tcp:{port}:interface={HOST}"]
            programs.append(run(RECEIVER, [twist, *listen], cwd=folder))
            wait_for(port)
        relay = f"tcp:{HOST}:{transit}"
        yield Wormhole(("--relay-url", f"ws://{HOST}:{mailbox}/v1", "--transit-helper", relay))


def midair_files(url: str) -> FileWay:
    """Return midair's transfer.

    Args:
        url: of the rendezvous.
    """

    @contextlib.contextmanager
    def way(file: Path, folder: Path) -> Iterator[tuple[Program, ...]]:
        sender = run(SENDER, midair("send", url, str(file)), stderr=subprocess.PIPE)
        with ended([sender]) as programs:
            take = ("--yes", "--to", str(folder), heard(sender, "code"))
            programs.append(run(RECEIVER, midair("receive", url, *take)))
            yield tuple(programs)

    return way


def file_rate(way: FileWay, octets: int) -> tuple[float, float, bool]:
    """Send one file, of zeros.

    Args:
        way: how.
        octets: its size.

    Returns:
        MB/s from the first octet in the folder to the last; the greatest memory of a program in
        MB; whether it was whole.
    """
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
        file, folder = Path(here, "file"), Path(there)
        with file.open("wb") as zeros:
            zeros.truncate(octets)
        with way(file, folder) as programs:
            until_s = time.monotonic() + _TRANSFER_WITHIN_S
            first, begun_s, peak = 0, 0.0, 0.0
            while (got := _octets(folder)) < octets and time.monotonic() < until_s:
                if not first:
                    first, begun_s = got, time.monotonic()
                elif got > octets // 2:
                    peak = peaks_mb(programs)
                time.sleep(_LOOK_S)
            rate = (got - first) / (time.monotonic() - begun_s) / 1e6
            return rate, max(peak, peaks_mb(programs)), got == octets


def _octets(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size

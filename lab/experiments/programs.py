"""The programs of this project, run in rooms: a rendezvous, and peers that say what they do."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from lab.experiments.room import Room
from lab.process import kill_all, start
from lab.scenario import installed_script
from lab.seat import Event, parse_events

RENDEZVOUS_PORT = 8080
PATIENCE_S = 60.0
"""Twice a peer's own limit: it is to give up first, with a verdict."""
_NO_NTP = "127.0.0.1:1"
"""Nobody listens there, and the kernel says so at once: the rendezvous's clock serves."""


class ProgramError(Exception):
    """A program did not do its part; the text is what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A peer that has ended."""

    exit_code: int
    heard: bytes
    """Its standard output."""
    events: tuple[Event, ...]

    def find(self, name: str) -> Event | None:
        """Return the last event of that name."""
        return next((event for event in reversed(self.events) if event["event"] == name), None)


@contextlib.contextmanager
def rendezvous(room: Room, address: str) -> Iterator[str]:
    """Run a rendezvous in a room; gives its URL when it is ready."""
    reflectors = (f"{address}:{RENDEZVOUS_PORT + number}" for number in (1, 2))
    words = [word for reflector in reflectors for word in ("--reflector", reflector)]
    argv = [installed_script("midair-rendezvous"), "--json", "--host", address, *words]
    with _running(room, [*argv, "--port", str(RENDEZVOUS_PORT)]) as program:
        _await(program, "ready")
        yield f"http://{address}:{RENDEZVOUS_PORT}"


class Peer:
    """A ``midair`` in a room.

    Args:
        room: its host.
        url: the rendezvous.
        words: its command, and the arguments of that.
        says: its standard input.
    """

    def __init__(self, room: Room, url: str, *words: str, says: str) -> None:
        self._stack = contextlib.ExitStack()
        argv = [installed_script("midair"), *words, "--json", "--rendezvous", url]
        argv += ["--relay", "never"]
        self._program = self._stack.enter_context(_running(room, [*argv, "--ntp", _NO_NTP]))
        self._says = says
        self._events: list[Event] = []

    def code(self) -> str:
        """Wait until the peer has made its code."""
        return str(self.wait_for("code")["code"])

    def wait_for(self, name: str) -> Event:
        """Wait until the peer tells of something.

        Raises:
            ProgramError: it ended before.
        """
        self._events += _await(self._program, name)
        return self._events[-1]

    def end(self) -> Ended:
        """Give the peer its input, and wait for its end."""
        heard, told = self._program.communicate(self._says.encode(), timeout=PATIENCE_S)
        events, _ = parse_events(told)
        return Ended(
            exit_code=self._program.returncode,
            heard=heard,
            events=tuple([*self._events, *events]),
        )

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextlib.contextmanager
def _running(room: Room, argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    # Started by the room's own thread, whose end kills it, however this program ends.  Unbuffered:
    # what a buffer had read ahead, communicate() would never see.
    program = room.call(
        lambda: start(argv, environment={}, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
    )
    with program:
        try:
            yield program
        finally:
            kill_all([program])


def _await(program: subprocess.Popen[bytes], name: str) -> list[Event]:
    """Read what a program says up to an event of that name."""
    assert program.stderr is not None
    said = b""
    for line in program.stderr:
        said += line
        events, _ = parse_events(said)
        if events and events[-1]["event"] == name:
            return events
    raise ProgramError(f"{program.args!r} ended: {said.decode(errors='replace')}")

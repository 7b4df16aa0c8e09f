"""One peer's part of a session: its process, the pipes to it, and what it said.

Nothing is read while the peer computes: in the guest there is one processor, and the reader would
take it from the volley that is being measured.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from lab.warm import WarmPeer, WarmRun

Event = dict[str, Any]

_PIPE_BYTES = 2**20
"""Holds a session's events whole, so that nobody needs to read while the peers compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRun:
    """What one peer did in a session."""

    exit_code: int
    """137 if it had to be killed."""
    events: tuple[Event, ...]
    received: bytes
    """Its standard output."""
    noise: str
    """Lines of its standard error that are no JSON: there should be none."""

    def event(self, name: str) -> Event | None:
        """Return the last event of that name."""
        return next((event for event in reversed(self.events) if event["event"] == name), None)


class Seat:
    """One peer's part of a session: its process and the pipes to it."""

    def __init__(self, peer: WarmPeer, message: bytes, stack: ExitStack) -> None:
        self._peer = peer
        self._message = message
        self._run: WarmRun | None = None
        self._said = b""
        self._ends: dict[str, int] = {}
        for name in ("stdout", "stderr"):
            self._ends[name], self._ends[f"{name}_w"] = os.pipe()
            fcntl.fcntl(self._ends[name], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._ends["stdin"], self._ends["stdin_w"] = os.pipe()
        stack.callback(self._close, *self._ends)

    def _close(self, *names: str) -> None:
        for name in names:
            if name in self._ends:
                os.close(self._ends.pop(name))

    def start(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the peer; its standard input is the message and then ends."""
        self._run = self._peer.run(
            argv,
            stdin=self._ends["stdin"],
            stdout=self._ends["stdout_w"],
            stderr=self._ends["stderr_w"],
            environment=environment,
        )
        os.write(self._ends["stdin_w"], self._message)
        self._close("stdin", "stdin_w", "stdout_w", "stderr_w")

    def await_code(self, deadline: float) -> str | None:
        """Read until the peer has made its code; None if it ended without one."""
        event = self.await_event("code", deadline)
        return None if event is None else str(event["code"])

    def await_event(self, name: str, deadline: float) -> Event | None:
        """Read until the peer has told of something; None if it ended before."""
        while time.monotonic() < deadline:
            for event in parse_events(self._said)[0]:
                if event["event"] == name:
                    return event
            data = os.read(self._ends["stderr"], 65536)
            self._said += data
            if not data:
                break
        return None

    def end(self, deadline: float) -> PeerRun:
        """Wait for the peer's end, reading nothing before it; kill it at the deadline."""
        self._close("stdin", "stdin_w", "stdout_w", "stderr_w")
        code = -1
        if self._run is not None:
            try:
                code = self._run.wait(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                self._run.kill()
                code = self._run.wait()
        events, noise = parse_events(self._said + _read_all(self._ends["stderr"]))
        return PeerRun(
            exit_code=code,
            events=tuple(events),
            received=_read_all(self._ends["stdout"]),
            noise=noise,
        )


def _read_all(descriptor: int) -> bytes:
    return b"".join(_chunks(descriptor))


def _chunks(descriptor: int) -> Iterator[bytes]:
    while data := os.read(descriptor, _PIPE_BYTES):
        yield data


def parse_events(text: bytes) -> tuple[list[Event], str]:
    """Parse JSON lines; return the events, and all lines that are none.

    A last line without its end is left out: the rest is still to come.
    """
    events: list[Event] = []
    noise = []
    for line in text.split(b"\n")[:-1]:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                events.append(event)
                continue
        noise.append(line.decode(errors="replace"))
    return events, "\n".join(noise)

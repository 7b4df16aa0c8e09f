"""One peer's part of a session: its process, the pipes to it, and what it said.

Nothing is read while the peer computes, unless somebody waits for an event: in the guest there is
one processor, and the reader would take it from the volley that is being measured.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
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
        for name in ("stdin", "stdout", "stderr"):
            self._ends[name], self._ends[f"{name}_w"] = os.pipe()
            fcntl.fcntl(self._ends[name], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        stack.callback(self._close, *self._ends)

    def _close(self, *names: str) -> None:
        for name in names:
            if name in self._ends:
                os.close(self._ends.pop(name))

    def start(
        self, argv: Sequence[str], environment: Mapping[str, str], *, end_input: bool = True
    ) -> None:
        """Start the peer; its standard input is the message and then ends.

        Args:
            argv: its arguments.
            environment: added to its own.
            end_input: False: the input stays open, for :meth:`write`, until :meth:`end_input`.
        """
        self._run = self._peer.run(
            argv,
            stdin=self._ends["stdin"],
            stdout=self._ends["stdout_w"],
            stderr=self._ends["stderr_w"],
            environment=environment,
        )
        os.write(self._ends["stdin_w"], self._message)
        self._close("stdin", "stdout_w", "stderr_w")
        if end_input:
            self._close("stdin_w")

    def end_input(self) -> None:
        """End the peer's standard input, if it has not ended yet."""
        self._close("stdin_w")

    def write(self, data: bytes) -> None:
        """Give the peer more input; up to 1 MiB that it does not read stays in the pipe."""
        os.write(self._ends["stdin_w"], data)

    def send_signal(self, number: int) -> None:
        """Send the peer a signal, if it still runs."""
        if self._run is not None:
            self._run.send_signal(number)

    def await_code(self, deadline: float) -> str | None:
        """Read until the peer has made its code; None if it ended without one."""
        event = self.await_event("code", deadline)
        return None if event is None else str(event["code"])

    def await_event(self, name: str, deadline: float) -> Event | None:
        """Read until the peer has told of something; None if it ended, or time did, before."""
        while True:
            for event in parse_events(self._said)[0]:
                if event["event"] == name:
                    return event
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([self._ends["stderr"]], (), (), left_s)[0]:
                return None
            data = os.read(self._ends["stderr"], 65536)
            self._said += data
            if not data:
                return None

    def await_output(self, deadline: float) -> bool:
        """Wait until something stands at the peer's standard output; False: until the deadline."""
        left_s = max(0.0, deadline - time.monotonic())
        return bool(select.select([self._ends["stdout"]], (), (), left_s)[0])

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

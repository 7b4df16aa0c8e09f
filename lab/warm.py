"""Programs started warm: a server in a peer's namespace has imported them already and forks.

Python's start and imports take a second in the guest; an experiment of a hundred runs pays that
once. What runs is the real program's entry point, with arguments, streams and an environment of
its own, in a session of its own.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

from lab.closing import Closing
from lab.warm_server import MAX_MESSAGE
from lab.world import World

_READY_WITHIN_S = 60.0
"""The imports take 1 to 2 s in the guest, many times that when it is busy."""

Stream = int | IO[Any] | None


class WarmError(Exception):
    """The server could not import the program, or died; the text says why."""


class WarmPeer(Closing):
    """A program held ready in a namespace of a world. Starts at once; waits when first used.

    Args:
        world: the lab.
        role: the namespace, ``peer-a`` for example.
        environment: of the server and so of every run, for example a clock error
            (:func:`lab.process.clock_error`), which can only be set here.
        preload: modules that the program imports late.
        program: a console script, or ``module:function``.
    """

    def __init__(
        self,
        world: World,
        role: str,
        *,
        environment: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
        program: str = "midair",
    ) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._ready = False
        self._exits: dict[int, int] = {}
        with theirs:
            self._server: subprocess.Popen[bytes] = world.popen(
                role,
                [sys.executable, "-m", "lab.warm_server", str(theirs.fileno()), program, *preload],
                environment=environment,
                pass_fds=(theirs.fileno(),),
            )

    def wait_ready(self) -> None:
        """Wait until everything is imported.

        Raises:
            WarmError: it cannot be.
        """
        with self._lock:
            self._wait_ready()

    def _wait_ready(self) -> None:
        if not self._ready:
            answer = self._receive(_READY_WITHIN_S)
            if answer is None or "error" in answer:
                raise WarmError((answer or {"error": "not ready in time"})["error"])
            self._ready = True

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        environment: Mapping[str, str] | None = None,
    ) -> WarmRun:
        """Start the program.

        Args:
            argv: its arguments, without its name.
            stdin: a descriptor or file, given to the program; the caller closes its own copy.
                None: /dev/null, as for the other two.
            stdout: likewise.
            stderr: likewise.
            environment: added for this run.

        Raises:
            WarmError: the server is gone.
        """
        order = json.dumps({"argv": list(argv), "environment": dict(environment or {})}).encode()
        null = os.open(os.devnull, os.O_RDWR)
        try:
            streams = [_descriptor(stream, null) for stream in (stdin, stdout, stderr)]
            with self._lock:
                self._wait_ready()
                socket.send_fds(self._control, [order], streams)
                while (answer := self._receive(_READY_WITHIN_S)) is not None:
                    if "exit" not in answer:
                        return WarmRun(self, int(answer["pid"]))
        finally:
            os.close(null)
        raise WarmError("the server did not fork in time")

    def exit_code(self, pid: int, timeout: float | None) -> int | None:
        """Return a run's exit code, waiting up to ``timeout`` seconds for it."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while pid not in self._exits:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if self._receive(left) is None:
                    return None
            return self._exits[pid]

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a run, if it still runs."""
        self._control.send(json.dumps({"kill": pid, "signal": number}).encode())

    def _receive(self, timeout: float | None) -> dict[str, Any] | None:
        """Read one packet, noting exits; None when none comes in time."""
        self._control.settimeout(timeout)
        try:
            data = self._control.recv(MAX_MESSAGE)
        except (TimeoutError, BlockingIOError):
            return None
        finally:
            self._control.settimeout(None)
        if not data:
            raise WarmError(f"the server ended, exit {self._server.wait()}")
        message: dict[str, Any] = json.loads(data)
        if "exit" in message:
            self._exits[message["pid"]] = message["exit"]
        return message

    def close(self) -> None:
        """End the server and with it every run that still runs."""
        self._control.close()
        self._server.kill()
        self._server.wait()


class WarmRun:
    """One run of a warm program."""

    def __init__(self, peer: WarmPeer, pid: int) -> None:
        self._peer = peer
        self.pid = pid

    def poll(self) -> int | None:
        """Return the exit code (128 + n after signal n), or None while it runs."""
        return self._peer.exit_code(self.pid, 0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code.

        Raises:
            TimeoutError: it still runs after ``timeout`` seconds.
        """
        code = self._peer.exit_code(self.pid, timeout)
        if code is None:
            raise TimeoutError(f"process {self.pid} still runs after {timeout} s")
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        self._peer.signal(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _descriptor(stream: Stream, null: int) -> int:
    if stream is None:
        return null
    return stream if isinstance(stream, int) else stream.fileno()

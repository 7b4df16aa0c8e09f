"""The programs of this project as processes: a rendezvous, and peers that say what they do."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

BIN = Path(sys.executable).parent
PATIENCE_S = 60
"""No test waits for this long; it ends one that would wait for ever."""
NO_NTP = "127.0.0.1:1"
"""Nobody listens there, and the kernel says so at once."""
# All tests come from one address, and are no attack.
UNLIMITED = {"MIDAIR_RENDEZVOUS_VISITS": "10000", "MIDAIR_RENDEZVOUS_GUESSES": "10000"}
Events = list[dict[str, Any]]
PROCESSORS = sorted(os.sched_getaffinity(0))
KEYS = {
    "code": "code command",
    "waiting": "nameplate",
    "paired": "seat",
    "clock": "ntp rendezvous",
    "mapping": "mapping preserves_port local srflx host",
    "meeting": "number host by at instant_us wait_us bound_us authenticated ports",
    "appointment": ("attempt role timescale instant_us lead_us late_us offset_us bound_us pairs"),
    "shot": "attempt pair shot at_us local_us fire_error_us",
    "volley": "attempt shots refusals",
    "missed": "attempt reason",
    "relaying": "places verdict message hint octets octets_per_s",
    "connected": (
        "local remote path role attempt pair first_shot skew_us shots refusals winner_shots "
        "sync_margin_us fire_error_us rtt_us timescale offset_us bound_us since_report_ms "
        "elapsed_ms encrypted authenticated"
    ),
    "forwarding": "side places",
    "forwarded": "place sent received reason",
    "files": "files folders size names",
    "asking": "",
    "progress": "done size",
    "file": "name size offset",
    "done": "direction files folders size transferred elapsed_ms",
    "closed": "sent received reason",
    "warning": "message",
}
"""The keys of each JSON line, beside ``event`` and ``t_ms``."""


@contextlib.contextmanager
def rendezvous(*words: str) -> Iterator[str]:
    """Run a rendezvous on loopback, with further arguments; yields its URL."""
    command: list[str | Path] = [
        BIN / "midair-rendezvous",
        "--json",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    command += ["--reflector", "127.0.0.1:0", "--reflector", "127.0.0.1:0", *words]
    env = os.environ | UNLIMITED
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        try:
            yield cast(str, json.loads(process.stderr.readline())["http"][0])
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)


class Peer:
    """A ``midair`` process; its ends are pipes of ours."""

    def __init__(
        self, *words: str, url: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        """Start it.

        Args:
            words: its arguments.
            url: of the rendezvous; None: nothing is said of one.
            env: variables beside ours.
        """
        common = [] if url is None else ["--rendezvous", url, "--ntp", NO_NTP]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MIDAIR_")}
        # What a test wants to see is the path, and a miss if it was missed.
        clean["MIDAIR_RELAY"] = "never"
        self.process = subprocess.Popen(
            [BIN / "midair", *words, *common],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**clean, **(env or {})},
            # What a buffer had read ahead, communicate() would never see.
            bufsize=0,
        )
        # Two hosts share no processor.  Where the kernel keeps both peers on one, each one's SYN
        # is refused before the other one runs, and three attempts may miss (README, Limits).
        first = "listen" in words or "send" in words
        os.sched_setaffinity(self.process.pid, {PROCESSORS[0 if first else -1]})
        self.events: Events = []
        """With --json: what was read of it so far."""

    def __enter__(self) -> Peer:
        """Return the peer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no process behind."""
        self.process.kill()
        self.process.communicate()

    def wait_for(self, event: str) -> dict[str, Any]:
        """Read events up to the first of this kind; needs ``--json``."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == event:
                return self.events[-1]
        raise AssertionError(f"it ended without {event!r}: {self.events}")

    def send(self, data: bytes) -> None:
        """Write to its standard input, which stays open."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end_input(self) -> None:
        """Close its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def finish(self, data: bytes = b"") -> tuple[int, bytes]:
        """Write the rest of its input, wait for its end; returns exit code and output."""
        out, err = self.process.communicate(data, timeout=PATIENCE_S)
        self.said = err.decode()
        with contextlib.suppress(json.JSONDecodeError):
            self.events += [json.loads(line) for line in self.said.splitlines()]
        return self.process.returncode, out


def finish_both(
    one: Peer, other: Peer, said: bytes = b"", answered: bytes = b""
) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
    """Finish two peers at once, since neither ends before the other's input does."""
    with ThreadPoolExecutor() as pool:
        ends = pool.submit(one.finish, said), pool.submit(other.finish, answered)
        return ends[0].result(), ends[1].result()


@contextlib.contextmanager
def pair(
    url: str,
    *,
    listen: tuple[str, ...] = ("--json",),
    connect: tuple[str, ...] = ("--json",),
    env: Mapping[str, str] | None = None,
) -> Iterator[tuple[Peer, Peer]]:
    """Run a listener and a connector that has its code; ``listen`` must include ``--json``."""
    with Peer("listen", *listen, url=url, env=env) as one:
        code = one.wait_for("code")["code"]
        with Peer("connect", code, *connect, url=url, env=env) as other:
            yield one, other

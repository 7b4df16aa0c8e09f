"""The code, asked for at the terminal: Tab completes it, and the user's data stay untouched."""

from __future__ import annotations

import fcntl
import os
import pty
import secrets
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.loopback.programs import BIN, NO_NTP, PATIENCE_S, PROCESSORS, Peer, rendezvous


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


class Terminal:
    """Both ends of a pseudo-terminal, ours and the program's.

    Attributes:
        shown: everything that stood on it.
    """

    def __init__(self) -> None:
        """Open it."""
        self._ours, self.theirs = pty.openpty()
        self.shown = b""

    def await_text(self, text: bytes) -> None:
        """Read until it shows a text."""
        until = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            readable, _, _ = select.select([self._ours], [], [], max(0, until - time.monotonic()))
            assert readable, self.shown
            self.shown += os.read(self._ours, 4096)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def close(self) -> None:
        """Hang up."""
        os.close(self._ours)
        os.close(self.theirs)


@contextmanager
def terminal() -> Iterator[Terminal]:
    """Lend a terminal."""
    lent = Terminal()
    try:
        yield lent
    finally:
        lent.close()


@contextmanager
def connect(url: str, on: Terminal | None) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``midair connect`` on a terminal, or on none, with its standard streams elsewhere."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MIDAIR_")}
    program = subprocess.Popen(
        [BIN / "midair", "connect", "--rendezvous", url, "--ntp", NO_NTP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=None if on is None else partial(fcntl.ioctl, on.theirs, termios.TIOCSCTTY, 0),
        env=clean | {"TERM": "dumb"},
    )
    os.sched_setaffinity(program.pid, {PROCESSORS[-1]})  # as Peer does
    with program:
        try:
            yield program
        finally:
            program.kill()


def await_sleep(program: subprocess.Popen[bytes]) -> None:
    """Wait until a program waits for keys.

    CPython's input() shows its question before it waits, and meets a Ctrl-C of just between the
    two only at the next key.
    """
    until = time.monotonic() + PATIENCE_S
    stat = Path(f"/proc/{program.pid}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < until
        time.sleep(0.01)


def test_code_when_none_is_given_is_asked_for_and_completed(url: str) -> None:
    code = f"{100_000_000 + secrets.randbelow(10**8)}-crossover-clockwork"
    with terminal() as desk, Peer("listen", "--json", "--code", code, url=url) as one:
        one.wait_for("waiting")
        with connect(url, desk) as other:
            desk.await_text(b"midair: code")
            desk.type(code[:-5].encode() + b"\t")
            desk.await_text(b"clockwork")
            desk.type(b"\n")
            one.send(b"for you")
            one.end_input()
            assert other.communicate(b"for me", PATIENCE_S)[0] == b"for you"
            assert other.returncode == 0
            assert one.finish() == (0, b"for me")


def test_code_when_a_word_is_mistyped_is_asked_for_again_with_those_it_is_like(url: str) -> None:
    with terminal() as desk, connect(url, desk) as other:
        desk.await_text(b"midair: code")
        desk.type(b"7-crosover-clockwork\n")
        desk.await_text(b"word 1 of it is in no list of words: it is mistyped (is it crossover")
        desk.shown = desk.shown.partition(b"mistyped")[2]
        desk.await_text(b"midair: code")
        desk.type(b"\n")
        said = other.communicate(timeout=PATIENCE_S)[1]
        assert (other.returncode, b"cros" in said) == (2, False)


def test_code_when_nothing_is_typed_exits_2_with_a_sentence(url: str) -> None:
    with terminal() as desk, connect(url, desk) as other:
        desk.await_text(b"midair: code")
        desk.type(b"\n")
        said = other.communicate(timeout=PATIENCE_S)[1]
        assert (other.returncode, b"No code given" in said) == (2, True)


def test_code_when_there_is_no_terminal_is_not_asked_for(url: str) -> None:
    with connect(url, None) as other:
        said = other.communicate(timeout=PATIENCE_S)[1]
        assert other.returncode == 2
        assert b"No code given. Run `midair listen` on the other host" in said


def test_interrupt_when_asked_exits_130(url: str) -> None:
    with terminal() as desk, connect(url, desk) as other:
        desk.await_text(b"midair: code")
        await_sleep(other)
        desk.type(b"\x03")
        assert b"Traceback" not in other.communicate(timeout=PATIENCE_S)[1]
        assert other.returncode == 130

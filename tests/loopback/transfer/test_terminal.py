"""``midair send`` and ``midair receive`` as a person sees them: each on a terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.loopback.programs import BIN, NO_NTP, PATIENCE_S, PROCESSORS, rendezvous

SIZE = 200_000_000
"""Takes longer than it takes to show a bar."""
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


class Terminal:
    """A program on a terminal."""

    def __init__(self, processor: int, *words: str) -> None:
        """Start ``midair`` with these words; two hosts share no processor."""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.sched_setaffinity(0, {PROCESSORS[processor]})
            os.environ["TERM"] = "xterm"
            os.execv(BIN / "midair", ["midair", *words])
        self.seen = b""
        self.over = False

    def __enter__(self) -> Terminal:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no process behind."""
        if not self.over:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def read(self, until: bytes) -> bytes:
        """Read on until this was shown."""
        while until not in self.seen:
            if not self._more():
                raise AssertionError(f"it ended without {until!r}: {self.seen!r}")
        return self.seen

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.fd, keys)

    def finish(self) -> tuple[int, list[str]]:
        """Wait for the end; the exit code, and the lines that are left on the screen."""
        while self._more():
            pass
        self.over = True
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        # A line that is written over shows only what was written last.
        lines = ESCAPE.sub(b"", self.seen).decode().split("\r\n")
        return status, [line.rpartition("\r")[2] for line in lines]

    def _more(self) -> bool:
        ready, _, _ = select.select([self.fd], [], [], PATIENCE_S)
        assert ready, f"it hangs: {self.seen!r}"
        try:
            data = os.read(self.fd, 65_536)
        except OSError:  # how Linux tells the end of a terminal
            return False
        self.seen += data
        return bool(data)


class Transfer:
    """Both sides, up to the question."""

    def __init__(self, url: str, folder: Path) -> None:
        """Start the sender."""
        self.source, self.to = folder / "film", folder / "to"
        self.source.touch()
        os.truncate(self.source, SIZE)
        self.to.mkdir(exist_ok=True)
        self.common = ("--rendezvous", url, "--ntp", NO_NTP)

    def __enter__(self) -> tuple[Terminal, Terminal]:
        """Return sender and receiver, who is asked."""
        self.sender = Terminal(0, "send", str(self.source), *self.common)
        said = self.sender.read(b"waiting for your partner")
        found = re.search(rb"midair receive (\S+)", said)
        assert found
        code = found[1].decode()
        self.receiver = Terminal(-1, "receive", code, "--to", str(self.to), *self.common)
        self.receiver.read(b"accept? [y/N] ")
        return self.sender, self.receiver

    def __exit__(self, *_: object) -> None:
        """Leave no process behind."""
        self.sender.__exit__()
        self.receiver.__exit__()


def both(*terminals: Terminal) -> list[tuple[int, list[str]]]:
    """Finish both at once: each one's terminal must be read for it to go on."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(Terminal.finish, terminals))


def test_transfer_shows_a_bar_and_ends_with_rate_and_path(url: str, tmp_path: Path) -> None:
    with Transfer(url, tmp_path) as (sender, receiver):
        sender.read(b"midair: waiting for your partner to accept")
        assert b"MB/s" not in sender.seen
        receiver.type(b"y\n")
        for (code, lines), word in zip(both(sender, receiver), ("sent", "received"), strict=True):
            assert code == 0
            assert re.fullmatch(
                rf"midair: {word} 1 file, 200 MB in [0-9.]+ m?s, [0-9.]+ .B/s, direct", lines[-2]
            ), lines
        for terminal in (sender, receiver):
            assert b"/200.0 MB" in ESCAPE.sub(b"", terminal.seen)
    assert (tmp_path / "to" / "film").stat().st_size == SIZE


def test_receiver_when_ctrl_c_answers_the_question_ends_both(url: str, tmp_path: Path) -> None:
    with Transfer(url, tmp_path) as (sender, receiver):
        receiver.type(b"\x03")
        (sent, said), (received, shown) = both(sender, receiver)
    assert (sent, received) == (1, 130)
    assert "the partner aborted: interrupted" in said[-3]
    assert shown[-3:] == ["midair: accept? [y/N] ^C", "midair: stopped", ""]
    assert os.listdir(tmp_path / "to") == []


def test_receiver_when_the_sender_is_killed_keeps_what_came_and_resumes(
    url: str, tmp_path: Path
) -> None:
    with Transfer(url, tmp_path) as (sender, receiver):
        receiver.type(b"y\n")
        sender.read(b"/200.0 MB")
        os.kill(sender.pid, signal.SIGKILL)
        (killed, _), (received, shown) = both(sender, receiver)
    assert (killed, received) == (-signal.SIGKILL, 1)
    assert "what has arrived is kept" in shown[-2]
    assert os.listdir(tmp_path / "to") == [".film.midair-part"]
    with Transfer(url, tmp_path) as (sender, receiver):
        receiver.type(b"y\n")
        for code, lines in both(sender, receiver):
            assert code == 0
            assert "was there already" in lines[-2]
    assert (tmp_path / "to" / "film").stat().st_size == SIZE

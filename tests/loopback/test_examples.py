"""The examples, run as their first lines say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.loopback.chrony import chronyd
from tests.loopback.ports import free_ports
from tests.loopback.programs import NO_NTP, PATIENCE_S, PROCESSORS, rendezvous

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


class Example:
    """One side of an example."""

    def __init__(
        self, name: str, *words: str, processor: int, env: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, EXAMPLES / f"{name}.py", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"MIDAIR_NTP": NO_NTP} | dict(env or {}),
        )
        # Two hosts share no processor; see Peer in tests/loopback/programs.py.
        os.sched_setaffinity(self.process.pid, {PROCESSORS[processor]})

    def __enter__(self) -> Example:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def code(self) -> str:
        """Wait for the code that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().removeprefix("code: ").strip()

    def end(self, said: str) -> str:
        """Say this and no more; returns what it printed."""
        out, err = self.process.communicate(said, timeout=PATIENCE_S)
        assert self.process.returncode == 0, err
        return out


def test_talk_carries_lines_both_ways(url: str) -> None:
    with Example("talk", url, processor=0) as one:
        assert one.process.stderr is not None
        code = one.process.stderr.readline().removeprefix("code: ").strip()
        with Example("talk", url, code, processor=-1) as other:
            assert other.process.stdin is not None
            other.process.stdin.write("good evening\n")
            other.process.stdin.flush()
            assert one.process.stdout is not None
            assert one.process.stdout.readline() == "good evening\n"
            assert one.process.stdin is not None
            one.process.stdin.write("the same to you\n")
            one.process.stdin.close()
            one.process.stdin = None
            assert other.end("") == "the same to you\n"
            assert one.end("") == ""


def test_own_protocol_asks_over_the_plain_socket(url: str) -> None:
    with Example("own_protocol", url, processor=0) as one:
        assert one.process.stdout is not None
        code = one.process.stdout.readline().strip()
        with Example("own_protocol", url, code, processor=-1) as other:
            assert other.end("").rstrip().endswith(f" is {os.uname().sysname} {os.uname().machine}")
            assert one.end("") == ""


def test_web_serves_pages_to_streams_and_to_other_programs(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("page a\n")
    (tmp_path / "b.txt").write_text("page b\n")
    with (
        Example("web", "serve", url, str(tmp_path), processor=0) as one,
        Example("web", "get", url, one.code(), "/a.txt", "/b.txt", processor=-1) as other,
    ):
        assert other.end("") == "page a\npage b\n"
        assert one.end("") == ""
    port = free_ports()
    with (
        Example("web", "serve", url, str(tmp_path), processor=0) as one,
        Example("web", "bind", url, one.code(), str(port), processor=-1) as other,
    ):
        assert other.process.stdout is not None
        while "Forwarding" not in other.process.stdout.readline():
            assert other.process.poll() is None
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/a.txt") as page:
            assert page.read() == b"page a\n"
        while "Forwarded" not in other.process.stdout.readline():
            assert other.process.poll() is None
        other.process.send_signal(signal.SIGINT)
        assert other.process.wait(PATIENCE_S) == 130
        assert one.end("") == ""


def test_files_arrive_whole(url: str, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "inbox").mkdir()
    with (
        Example("files", "send", url, str(tmp_path / "photo"), processor=0) as one,
        Example("files", "receive", url, one.code(), str(tmp_path / "inbox"), processor=-1) as two,
    ):
        assert two.end("") == "offered: photo\n1 files, 256000 bytes\n"
        assert one.end("") == "1 files, 256000 bytes\n"
    assert (tmp_path / "inbox" / "photo").read_bytes() == (tmp_path / "photo").read_bytes()


def test_meeting_says_hello_at_the_agreed_time(tmp_path: Path) -> None:
    first, at = free_ports(2), (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    ports = [str(first), str(first + 1)]
    with chronyd(tmp_path / "chrony") as ntp:
        env = {"MIDAIR_NTP": ntp, "MIDAIR_SECRET": "aaaqeayeaudaocajbifqydiob4"}
        with (
            Example("meeting", "127.0.0.1", at, *ports, processor=0, env=env) as one,
            Example("meeting", "127.0.0.1", at, *ports[::-1], processor=-1, env=env) as other,
        ):
            assert one.end("") == f"hello from 127.0.0.1:{ports[1]}\n"
            assert other.end("") == f"hello from 127.0.0.1:{ports[0]}\n"


def test_example_when_there_is_no_rendezvous_says_so_without_a_traceback() -> None:
    with Example("talk", "http://127.0.0.1:1", processor=0) as one:
        _, err = one.process.communicate(timeout=PATIENCE_S)
        assert one.process.returncode == 1
        assert err.startswith("talk: ")
        assert "Traceback" not in err

"""The examples, run as their first lines say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback.programs import NO_NTP, PATIENCE_S, PROCESSORS, rendezvous

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


class Example:
    """One side of an example."""

    def __init__(self, name: str, *words: str, processor: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, EXAMPLES / f"{name}.py", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"MIDAIR_NTP": NO_NTP},
        )
        # Two hosts share no processor; see Peer in tests/loopback/programs.py.
        os.sched_setaffinity(self.process.pid, {PROCESSORS[processor]})

    def __enter__(self) -> Example:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

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


def test_example_when_there_is_no_rendezvous_says_so_without_a_traceback() -> None:
    with Example("talk", "http://127.0.0.1:1", processor=0) as one:
        _, err = one.process.communicate(timeout=PATIENCE_S)
        assert one.process.returncode == 1
        assert err.startswith("talk: ")
        assert "Traceback" not in err

"""Whoever reads what a peer reports may go away: the connection does not go with it."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator

import pytest

from tests.loopback.programs import BIN, NO_NTP, PATIENCE_S, Peer, finish_both, pair, rendezvous


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


def test_session_when_the_reader_of_its_events_goes_away_goes_on(url: str) -> None:
    with Peer("listen", "--json", "-vv", url=url) as one:
        assert one.process.stderr is not None
        while b'"event": "code"' not in (line := one.process.stderr.readline()):
            pass
        code = line.partition(b'"code": "')[2].partition(b'"')[0].decode()
        one.end_input()
        one.process.stderr.close()
        one.process.stderr = None
        with Peer("connect", code, url=url) as other:
            assert other.finish(b"there") == (0, b"")
            out, _ = one.process.communicate(timeout=PATIENCE_S)
            assert (one.process.returncode, out) == (0, b"there")


def test_session_when_its_trace_cannot_be_written_any_more_says_so_once(url: str) -> None:
    with pair(url, connect=("--trace", "/dev/full")) as (one, other):
        assert finish_both(one, other, b"x") == ((0, b""), (0, b"x"))
        assert other.said.count("/dev/full is not written any more: No space left") == 1


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "-vv 2>/dev/full"])
def test_exit_code_when_nothing_can_be_reported_is_still_true(url: str, where: str) -> None:
    words = [BIN / "midair", "listen", "--rendezvous", url, "--ntp", NO_NTP, "--timeout", "1"]
    command = f"{shlex.join(map(str, words))} {where}"
    run = subprocess.run(command, shell=True, capture_output=True, timeout=PATIENCE_S, check=False)

    assert (run.returncode, run.stdout, run.stderr) == (5, b"", b"")


def test_log_when_asked_for_holds_no_secret(url: str) -> None:
    with Peer("listen", "-vv", "--timeout", "1", url=url) as one:
        assert one.finish()[0] == 5
        (code,) = [line for line in one.said.splitlines() if line.startswith("midair: your code")]
        secret = code.rpartition("-")[2]

        # Where it is handed over, and nowhere else.
        assert one.said.count(secret) == 2
        assert "httpcore" in one.said
        assert "midair: waiting nameplate=" in one.said

"""``midair send`` and ``midair receive`` as programs, against a real rendezvous on loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback.programs import Peer, finish_both, rendezvous
from tests.loopback.streams import some_bytes


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


def test_receiver_when_killed_is_resumed_by_running_both_again(url: str, tmp_path: Path) -> None:
    whole = some_bytes(400_000_000)
    source, to = tmp_path / "a", tmp_path / "to"
    source.write_bytes(whole)
    to.mkdir()
    words = ("--yes", "--json", "--to", str(to))
    with Peer("send", "--json", str(source), url=url) as one:
        code = one.wait_for("code")["code"]
        with Peer("receive", code, *words, url=url) as other:
            other.wait_for("files")
            part = to / ".a.midair-part"
            while not part.exists() or part.stat().st_size < 1_000_000:
                assert other.process.poll() is None
            other.process.kill()
            assert one.finish()[0] == 1
            assert one.events[-1]["event"] == "failed"
            assert "again" in one.events[-1]["hint"]
    kept = part.stat().st_size
    assert os.listdir(to) == [part.name]
    assert kept < len(whole)

    with Peer("send", "--json", str(source), url=url) as one:
        code = one.wait_for("code")["code"]
        with Peer("receive", code, *words, url=url) as other:
            assert finish_both(one, other) == ((0, b""), (0, b""))
            assert one.events[-1]["transferred"] == len(whole) - kept
    assert os.listdir(to) == ["a"]
    assert (to / "a").read_bytes() == whole


def test_receive_when_nobody_can_be_asked_exits_2(url: str) -> None:
    with Peer("receive", "1-x", url=url) as peer:
        assert peer.finish()[0] == 2
        assert "--yes" in peer.said


@pytest.mark.parametrize(
    "words", [("send", "missing"), ("receive", "1-adroitness-absurd", "--yes", "--to", "missing")]
)
def test_path_when_it_is_none_is_told_to_programs_as_every_failure(
    words: tuple[str, ...], url: str
) -> None:
    with Peer(*words, "--json", url=url) as peer:
        assert peer.finish()[0] == 2
    (failed,) = peer.events
    assert (failed["event"], failed["verdict"], failed["exit"]) == ("failed", "usage", 2)
    assert "No such file or directory" in failed["message"]

"""A connection that carries 0.2 Mbit/s, for longer than any limit of time in the programs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.loopback.programs import Peer, finish_both, pair, rendezvous
from tests.loopback.streams import some_bytes

OCTETS_PER_S = 25_000
SIZE = 800_000
"""More than half a minute: a peer gives up a connection whose bytes are not taken for 25 s."""
ONLY = {"MIDAIR_RELAY": "only"}


def pipe_through(url: str) -> None:
    content = some_bytes(SIZE)
    with pair(url, env=ONLY) as (one, other):
        assert finish_both(one, other, content) == ((0, b""), (0, content))


def send_through(url: str, folder: Path) -> None:
    source, to = folder / "a", folder / "to"
    source.write_bytes(some_bytes(SIZE))
    to.mkdir()
    with Peer("send", "--json", str(source), url=url, env=ONLY) as one:
        words = ("receive", one.wait_for("code")["code"], "--yes", "--json", "--to", str(to))
        with Peer(*words, url=url, env=ONLY) as other:
            assert finish_both(one, other) == ((0, b""), (0, b""))
            assert [peer.events[-1]["event"] for peer in (one, other)] == ["done", "done"]
    assert (to / "a").read_bytes() == source.read_bytes()


def test_pipe_and_files_at_two_tenths_of_a_megabit_arrive_whole(tmp_path: Path) -> None:
    with rendezvous("--relay-octets-per-s", str(OCTETS_PER_S)) as url, ThreadPoolExecutor() as pool:
        # Each pair has the rate for itself.
        for done in [pool.submit(pipe_through, url), pool.submit(send_through, url, tmp_path)]:
            done.result()

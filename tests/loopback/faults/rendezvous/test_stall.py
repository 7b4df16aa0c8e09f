"""Connections to the rendezvous on which nothing comes any more: given up, in a stated time.

An answer that is 3 s overdue counts as none (`ANSWER_TIMEOUT_S`); a rendezvous that was never
reached is given up after 2 s of trying again, one that was reached after 25 s.  All this is mostly
waiting, so that the stories of this file run side by side, and each test reads one.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.loopback.faults.rendezvous.relay import Kind, relay, stall
from tests.loopback.faults.rendezvous.server import Server
from tests.loopback.programs import Peer, finish_both

Ends = tuple[tuple[int, bytes], str]


def silent_from_the_start() -> Ends:
    """Listen at a rendezvous that takes the request and never answers one."""
    with Server() as server, relay(server.port) as between:
        # One for each time that it is asked: at once, and again 100 ms after the first 3 s.
        between.does(Kind.OPEN, stall, stall)
        with Peer("listen", url=between.url) as peer:
            return peer.finish(), peer.said


def gone_for_good() -> Ends:
    """Wait at a rendezvous that ends and does not come back."""
    with Server() as server, Peer("listen", url=server.url) as peer:
        assert peer.process.stderr is not None
        while b"waiting for your partner" not in peer.process.stderr.readline():
            pass
        server.stop(signal.SIGKILL)
        ends = peer.finish(), peer.said
        server.start()
        return ends


def stalls(*kinds: Kind) -> Ends:
    """Connect, while the first answer of some kinds stalls."""
    with Server() as server, relay(server.port) as between:
        for kind in kinds:
            between.does(kind, stall)
        with Peer("listen", "--json", url=between.url) as one:
            code = one.wait_for("code")["code"]
            with Peer("connect", code, url=between.url) as other:
                ended = finish_both(one, other, b"from the one", b"from the other")
                assert ended[0] == (0, b"from the other"), one.events
                return ended[1], other.said


STORIES: dict[str, Callable[[], Ends]] = {
    "silent_from_the_start": silent_from_the_start,
    "gone_for_good": gone_for_good,
    "poll": lambda: stalls(Kind.WAIT),
    "everything_else": lambda: stalls(*(kind for kind in Kind if kind is not Kind.WAIT)),
}


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, Future[Ends]]]:
    with ThreadPoolExecutor() as pool:
        yield {name: pool.submit(story) for name, story in STORIES.items()}


def test_rendezvous_when_it_never_answers_exits_3(told: dict[str, Future[Ends]]) -> None:
    ended, said = told["silent_from_the_start"].result()
    assert ended == (3, b"")
    assert "cannot be reached (no answer in time)" in said
    assert "that `midair-rendezvous` runs there" in said


def test_rendezvous_when_it_does_not_come_back_exits_3(told: dict[str, Future[Ends]]) -> None:
    ended, said = told["gone_for_good"].result()
    assert ended == (3, b"")
    assert "cannot be reached" in said


@pytest.mark.parametrize("story", ["poll", "everything_else"])
def test_session_when_an_answer_stalls_goes_on(told: dict[str, Future[Ends]], story: str) -> None:
    ended, _ = told[story].result()
    assert ended == (0, b"from the one")

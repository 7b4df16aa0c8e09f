"""What takes its time: peers whose connection to the rendezvous goes silent, told side by side.

An answer that is 3 s overdue counts as none (``ANSWER_TIMEOUT_S``); a rendezvous that was never
reached is given up after 2 s of trying again, one that was reached after 25 s.  All this is
waiting, so that it is begun with the first test of this folder; ``test_stall`` reads how it ended.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import Future

from tests.loopback.faults.rendezvous.exchanges import stall
from tests.loopback.faults.rendezvous.relay import Kind, relay
from tests.loopback.faults.rendezvous.server import Server
from tests.loopback.programs import Peer, finish_both

Ends = tuple[tuple[int, bytes], str]
"""Exit code and output, and what was said on standard error."""
Told = dict[str, Future[Ends]]


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

"""The volley's thread against real sockets.  Nothing listens here unless a test says so.

That two volleys cross is shown by whole sessions: both in one process never do, since the
interpreter's lock keeps one of them out of connect() while the other is in it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from peer.core.times import MonoNs
from peer.core.volley import FOLLOWER_SHOTS, VolleyRule
from peer.errors import PortInUseError
from peer.io.clock import monotonic_ns
from peer.io.fire import Barrel, VolleyThread
from peer.io.sockets import LocalPort, claim_ports, endpoint_of
from rendezvous.protocol.endpoints import Endpoint

MS, S = 10**6, 10**9
PATIENCE_S = 60
LOOPBACK = "127.0.0.1"


class Volley:
    """A volley that remembers what it told."""

    def __init__(
        self,
        barrels: list[Barrel],
        *,
        in_ns: int = 0,
        lasts_ns: int = 20 * S,
        budget: int = 1_000,
    ) -> None:
        self.opened: list[tuple[int, int]] = []
        self.has_opened = threading.Event()
        self.has_ended = threading.Event()
        instant = MonoNs(monotonic_ns() + in_ns)
        rule = VolleyRule(budget, MonoNs(instant + lasts_ns))
        self.thread = VolleyThread(
            barrels, instant, rule, on_open=self._open, on_end=self.has_ended.set
        )

    def _open(self, barrel: Barrel, shots: int) -> None:
        self.opened.append((barrel.pair, shots))
        self.has_opened.set()

    def run(self) -> Volley:
        """Start it, and wait until it ends by itself."""
        with self:
            assert self.has_ended.wait(PATIENCE_S)
        return self

    def __enter__(self) -> Volley:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.stop()
        assert self.thread.error is None
        assert self.has_ended.is_set()


@pytest.fixture
def ports() -> Iterator[list[LocalPort]]:
    """Eight claimed ports: four for each of two sides."""
    claimed = claim_ports((4,), 8, None)
    yield claimed
    for port in claimed:
        port.close()


@contextlib.contextmanager
def listener() -> Iterator[Endpoint]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield endpoint_of(server)


def aim(port: LocalPort, at: Endpoint, pair: int = 0) -> Barrel:
    return Barrel(pair, port.volley, at)


def at_port(port: LocalPort) -> Endpoint:
    return Endpoint(LOOPBACK, port.port)


def test_volley_when_somebody_listens_opens_at_the_first_shot(ports: list[LocalPort]) -> None:
    with listener() as target:
        volley = Volley([aim(ports[0], target, 7)]).run()

    assert volley.opened == [(7, 1)]
    assert (volley.thread.rule.shots, volley.thread.rule.refusals) == (1, 0)
    assert volley.thread.first_at is not None
    assert volley.thread.first_at >= volley.thread.instant


def test_volley_when_fired_takes_its_barrels_in_order(ports: list[LocalPort]) -> None:
    barrels = [aim(port, at_port(ports[7]), n) for n, port in enumerate(ports[:4])]
    Volley(barrels, budget=4).run()
    times = [barrel.first_at for barrel in barrels]

    assert None not in times
    assert times == sorted(t for t in times if t is not None)


def test_volley_when_its_budget_is_smaller_than_it_fires_the_first_pairs_only(
    ports: list[LocalPort],
) -> None:
    barrels = [aim(port, at_port(ports[7]), n) for n, port in enumerate(ports[:4])]
    rule = Volley(barrels, budget=3).run().thread.rule

    assert rule.shots_of == {0: 1, 1: 1, 2: 1}
    assert [barrel.first_at is None for barrel in barrels] == [False, False, False, True]


def test_volley_when_it_comes_after_its_deadline_fires_nothing(ports: list[LocalPort]) -> None:
    barrels = [aim(ports[0], at_port(ports[7]))]
    volley = Volley(barrels, in_ns=-2 * S, lasts_ns=S).run()

    assert volley.thread.first_at is None
    assert volley.thread.rule.shots == 0


def test_volley_when_nobody_answers_keeps_its_budget_and_fires_every_pair(
    ports: list[LocalPort],
) -> None:
    barrels = [aim(port, at_port(ports[7]), n) for n, port in enumerate(ports[:4])]
    rule = Volley(barrels, budget=1_000, lasts_ns=S // 2).run().thread.rule

    assert 500 < rule.shots <= 1_000
    assert rule.refusals == rule.shots
    # Refused within connect(), so the lowest pair takes the lead; nobody is left out.
    assert min(rule.shots_of.values()) >= FOLLOWER_SHOTS
    assert rule.shots_of[0] == max(rule.shots_of.values())


def test_volley_when_one_pair_is_refused_still_fires_the_others(ports: list[LocalPort]) -> None:
    with listener() as target:
        refused = [aim(port, at_port(ports[7]), n) for n, port in enumerate(ports[:3])]
        volley = Volley([*refused, aim(ports[3], target, 3)], budget=4_000)
        with volley:
            assert volley.has_opened.wait(PATIENCE_S)

    assert volley.opened == [(3, 1)]


def test_volley_when_a_tuple_is_taken_drops_that_pair_only(ports: list[LocalPort]) -> None:
    with listener() as target:
        taken = ports[0].sibling()
        with contextlib.suppress(BlockingIOError):
            taken.connect((target.address, target.port))
        barrels = [aim(ports[0], target, 0), aim(ports[1], target, 1)]
        volley = Volley(barrels).run()

    assert barrels[0].fatal == errno.EADDRNOTAVAIL
    assert volley.opened == [(1, 1)]


def test_volley_when_it_meets_itself_drops_that_pair_only(ports: list[LocalPort]) -> None:
    with listener() as target:
        barrels = [aim(ports[0], at_port(ports[0]), 0), aim(ports[1], target, 1)]
        volley = Volley(barrels).run()

    assert ports[0].volley.fileno() == -1
    assert barrels[0].fatal == errno.ELOOP
    assert volley.opened == [(1, 1)]


def test_volley_when_all_pairs_are_hopeless_ends_by_itself(ports: list[LocalPort]) -> None:
    volley = Volley([aim(ports[0], at_port(ports[0]))], lasts_ns=3600 * S).run()

    assert volley.opened == []


def test_stop_when_before_the_instant_fires_nothing(ports: list[LocalPort]) -> None:
    barrels = [aim(ports[0], at_port(ports[7]))]
    with Volley(barrels, in_ns=3600 * S) as volley:
        pass

    assert volley.thread.first_at is None
    assert volley.thread.rule.shots == 0


def test_stop_when_a_shot_is_pending_leaves_the_socket_open(ports: list[LocalPort]) -> None:
    """A full backlog drops SYNs: the shot stays pending."""
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind((LOOPBACK, 0))
        server.listen(0)
        target = endpoint_of(server)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((target.address, target.port))
        with Volley([aim(ports[0], target)], lasts_ns=3600 * S) as volley:
            while not volley.thread.rule.shots:
                pass

        assert ports[0].volley.fileno() > 0
        assert volley.thread.rule.shots == 1
        assert volley.opened == []


def test_volley_when_over_leaves_no_descriptor_behind() -> None:
    def once() -> None:
        claimed = claim_ports((4,), 2, None)
        Volley([aim(claimed[0], at_port(claimed[1]))], lasts_ns=MS).run()
        for port in claimed:
            port.close()

    once()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        once()

    assert len(os.listdir("/proc/self/fd")) == before


def test_claim_when_the_port_is_taken_says_so(ports: list[LocalPort]) -> None:
    with pytest.raises(PortInUseError, match=f"local port {ports[0].port} is in use"):
        claim_ports((4,), 1, ports[0].port)


def test_claim_when_an_attempt_before_had_the_ports_gets_them_again() -> None:
    [first] = claim_ports((4,), 1, None)
    with listener() as target:
        sibling = first.sibling()
        sibling.setblocking(True)
        sibling.connect((target.address, target.port))
        first.close()
        [again] = claim_ports((4,), 1, first.port)

    assert again.port == first.port
    again.close()

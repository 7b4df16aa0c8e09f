"""The load clients do what they count, against a real server: a few pairings, a few waiters."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab.bench.load.programs import (
    Clients,
    ProgramError,
    Server,
    pairing_order,
    serving,
    waiting_order,
)
from lab.bench.load.stun import binding_request, token_of

COUPLES, EACH, WAITERS, JOINED = 3, 12, 30, 20
DRAIN_S = 30.0
"""Nothing waits for this long, unless it hangs."""
PROCESSOR = min(os.sched_getaffinity(0))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(PROCESSOR) as running:
        yield running


def order(server: Server, **changes: Any) -> dict[str, Any]:
    counts = {"couples": COUPLES, "warm_up": 0, "rounds": 2, "each": EACH, **changes}
    return pairing_order(server, **counts)


@pytest.mark.parametrize("fresh", [False, True])
def test_each_pairing_is_timed_and_ends_with_an_appointment(server: Server, fresh: bool) -> None:
    before_s = server.cpu_s()
    with Clients(PROCESSOR, order(server, fresh=fresh)) as clients:
        assert clients.hear() == {"ready": True}
        for _ in range(2):
            clients.tell({})
            heard = clients.hear()
            assert len(heard["whole_ms"]) == len(heard["appointed_ms"]) == EACH
            assert all(
                0 < part < whole
                for part, whole in zip(heard["appointed_ms"], heard["whole_ms"], strict=True)
            )
            assert max(heard["whole_ms"]) <= heard["seconds"] * 1e3
    assert server.cpu_s() > before_s
    server.ask_to_stop()
    assert server.wait() == 0


def test_server_that_is_paused_does_nothing_until_it_goes_on(server: Server) -> None:
    with Clients(PROCESSOR, order(server, rounds=1)) as clients:
        clients.hear()
        with server.paused():
            clients.tell({})
            used_s = server.cpu_s()
            time.sleep(0.2)
            assert server.cpu_s() == used_s
        assert len(clients.hear()["whole_ms"]) == EACH


def test_waiters_are_parked_until_their_partners_come_or_the_server_goes(server: Server) -> None:
    idle = server.descriptors()
    with Clients(PROCESSOR, waiting_order(server, WAITERS)) as crowd:
        assert crowd.hear() == {"parked": WAITERS, "lost": []}
        assert server.descriptors() - idle == WAITERS
        crowd.tell({"join": JOINED})
        heard = crowd.hear()
        assert (heard["woken"], heard["lost"]) == (JOINED, [])
        server.ask_to_stop()
        crowd.tell({"drain": DRAIN_S})
        assert crowd.hear() == {"refused": WAITERS - JOINED, "waiting": 0, "lost": []}
    assert server.wait() == 0


def test_client_whose_server_is_gone_says_so(server: Server) -> None:
    server.ask_to_stop()
    assert server.wait() == 0
    with (
        Clients(PROCESSOR, order(server, warm_up=1)) as clients,
        pytest.raises(ProgramError, match="load client: ConnectionRefusedError: "),
    ):
        clients.hear()


def test_binding_request_asks_for_a_token_of_the_session() -> None:
    # docs/protocol.md: type, length, cookie, 12 random octets, SESSION with its length.
    message = binding_request("ab" * 16)
    assert message[:8] == bytes.fromhex("00010024 2112a442".replace(" ", ""))
    assert message[20:24] == bytes.fromhex("c0d00020")
    assert message[24:] == b"ab" * 16


def test_token_is_found_behind_other_attributes_of_a_success_only() -> None:
    attributes = bytes.fromhex("00200008 0001000000000000".replace(" ", ""))
    attributes += bytes.fromhex("c0d10005") + b"1.abc" + bytes(3)
    header = len(attributes).to_bytes(2, "big") + bytes(16)
    assert token_of(b"\x01\x01" + header + attributes) == "1.abc"
    assert token_of(b"\x01\x11" + header + attributes) is None
    assert token_of(b"\x01\x01" + header) is None

"""Reflectors that are closed, or take a connection and say nothing.

The rendezvous tells its peers the reflectors as ``*:PORT``, at the host of its own URL.  So one
peer that uses 127.0.0.2 finds none where its partner, at 127.0.0.1, finds two.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.loopback.faults.rendezvous.server import Server
from tests.loopback.programs import Peer, finish_both, pair

HERE, THERE = "127.0.0.1", "127.0.0.2"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("--host", THERE) as running:
        yield running


@contextlib.contextmanager
def silent(*places: tuple[str, int]) -> Iterator[None]:
    """Take connections there, as the kernel does for a program that hangs."""
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(socket.create_server(place))
        yield


@pytest.mark.parametrize("how", ["closed", "silent"])
def test_reflectors_when_they_are_down_for_one_peer_exit_3_and_the_partner_is_told(
    server: Server, how: str
) -> None:
    places = [(THERE, port) for port in server.reflectors] if how == "silent" else []
    there = server.url.replace(HERE, THERE)
    with silent(*places), Peer("listen", "--json", url=there) as one:
        code = one.wait_for("code")["code"]
        with Peer("connect", code, "--json", url=server.url) as other:
            assert finish_both(one, other) == ((3, b""), (5, b""))
    first, second = server.reflectors
    assert one.events[-1] == {
        "event": "failed",
        "t_ms": one.events[-1]["t_ms"],
        "verdict": "rendezvous_unreachable",
        "message": f"no reflector of the rendezvous answers ({THERE}:{first}, {THERE}:{second})",
        "hint": "Its TCP ports must be open to this host, beside the rendezvous's own",
        "exit": 3,
    }
    told = other.events[-1]
    assert told["verdict"] == "no_candidates"
    assert told["message"].startswith("no path: your partner")
    assert "reflector's ports must be reachable" in told["hint"]


@pytest.mark.parametrize("how", ["closed", "silent"])
def test_session_when_one_of_two_reflectors_is_down_opens_all_the_same(how: str) -> None:
    one_dead = Server()
    alive, dead = one_dead.reflectors
    both = (f"{HERE}:{alive}", f"{HERE}:{dead}")
    named = [word for place in both for word in ("--reflector-public", place)]
    places = [(HERE, dead)] if how == "silent" else []
    with (
        silent(*places),
        Server("--reflector", both[0], *named) as server,
        pair(server.url) as (one, other),
    ):
        assert finish_both(one, other, b"x") == ((0, b""), (0, b"x")), (one.events, other.events)
        (mapping,) = [event for event in one.events if event["event"] == "mapping"]
        # One alone cannot tell whether a mapping depends on the destination.
        assert mapping["mapping"] == "unknown"
        assert sorted(mapping["srflx"]) == mapping["local"]

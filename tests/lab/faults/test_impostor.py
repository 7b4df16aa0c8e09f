"""A stranger at the partner's appointed endpoints: dropped, named, and told nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab.scenario import MESSAGES, Scenario
from lab.seat import Seat
from lab.warm import WarmPeer
from tests.lab.faults.play import failure, play

TIMEOUT_S = 9
"""An attempt lasts 7 s with somebody who opens and says nothing."""
HANGS_MS = 20_000.0
"""Beside --timeout, this is no slow machine any more."""
NOT_OURS = (
    5,
    "not_selected",
    "no path: a connection opened, but the far end broke it or never proved to be your partner",
)
WRONG_CODE = (
    6,
    "authentication",
    "whoever answered at your partner's address could not prove to be your partner, or the "
    "rendezvous told the two of you different things",
)


@pytest.fixture(scope="module")
def impostor(module_scenario: Scenario) -> Iterator[WarmPeer]:
    """Hold an impostor ready on peer b's host."""
    with WarmPeer(
        module_scenario.world, "peer-b", program="tests.lab.faults.impostor:main"
    ) as ready:
        yield ready


@pytest.mark.parametrize(
    ("how", "ends_as"),
    [("garbage", NOT_OURS), ("silence", NOT_OURS), ("echo", NOT_OURS), ("liar", WRONG_CODE)],
    ids=["garbage", "silence", "echo", "liar"],
)
def test_stranger_at_the_appointed_endpoint_is_dropped_and_hears_no_data(
    scenario: Scenario, impostor: WarmPeer, how: str, ends_as: tuple[int, str, str]
) -> None:
    with (
        ExitStack() as stack,
        play(scenario, arguments={"a": ("--timeout", str(TIMEOUT_S))}) as session,
    ):
        session.listen()
        session.seats["a"].write(MESSAGES["a"])
        stranger = Seat(impostor, b"", stack)
        stranger.start([how, session.code, scenario.url], {})
        a = session.end("a")["a"]
        heard = stranger.end(session.deadline)
    assert failure(a) == ends_as
    paired, failed = a.event("paired"), a.event("failed")
    assert paired is not None
    assert failed is not None
    assert failed["t_ms"] - paired["t_ms"] < TIMEOUT_S * 1000 + HANGS_MS
    # It was there: it heard the greeting, and nothing of the user's.
    assert b"midair" in heard.received
    assert heard.exit_code == 0, heard.noise
    for packet in (*scenario.packets("a"), *scenario.packets("b")):
        assert MESSAGES["a"].strip() not in packet.raw
    assert a.event("connected") is None
    assert a.received == b""

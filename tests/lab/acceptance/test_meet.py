"""By appointment, without a server: two hosts that know each other's address and the time.

Twenty of each are the benchmark's (``make bench SECTIONS=meet``), since one port can be used again
only after ten seconds.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from lab.bench.labs import options
from lab.bench.meet import PORT, SPACING_S, secret_of
from lab.bench.sections import IPV6_FIREWALLS
from lab.bench.stage import set_routers, staged, syns
from lab.facts import facts
from lab.meet import meet, soon
from lab.packets import Flags
from lab.scenario import MESSAGES, Scenario, SessionRun
from lab.topology import RENDEZVOUS_IPV4, RENDEZVOUS_IPV6, SIDES, RouterSpec, Side
from tests.lab.acceptance.punctual import was_punctual

TIMES = 4
GAPS_S = (0.0, 3.0, 8.0, 20.0)
AT = ("--port", str(PORT), "--at")
_other_ports = itertools.count(PORT + 1)
OURS, THEIRS = secret_of(1), secret_of(2)


def by_time() -> tuple[str, ...]:
    """Make the arguments of a meeting at a port that no meeting before it has used.

    What it left behind, in kernels and NATs, is gone only after ten seconds and more.
    """
    return ("--port", str(next(_other_ports)), "--at", soon())


@pytest.fixture(scope="module")
def module_scenario() -> Iterator[Scenario]:
    """Build the lab; its rendezvous ends before anybody meets."""
    with staged(options()) as ready:
        ready.end_rendezvous()
        yield ready


def assert_well(session: SessionRun, scenario: Scenario) -> None:
    """Check what holds of every meeting."""
    row = facts(session, scenario.options)
    assert row.connected, [peer.events for peer in session.peers.values()]
    assert [session.peers[side].noise for side in SIDES] == ["", ""]
    assert session.peers["a"].received == MESSAGES["b"]
    assert session.peers["b"].received == MESSAGES["a"]
    assert (row.timescale, row.within_bounds) == ("utc", True)
    assert session.lost_packets == 0
    for side in SIDES:
        assert asked_of_a_server(session, side) == set(), "there is no rendezvous in a meeting"
    if was_punctual(session):
        assert row.first_shot
        assert row.crossed


def asked_of_a_server(session: SessionRun, side: Side) -> set[str]:
    """List where a host sent TCP but to its partner."""
    servers = {RENDEZVOUS_IPV4, RENDEZVOUS_IPV6}
    return {p.destination for p in session.packets[side] if p.tcp and p.destination in servers}


def verdicts(session: SessionRun) -> list[tuple[int, str]]:
    found = []
    for side in SIDES:
        peer = session.peers[side]
        failed = peer.event("failed")
        assert failed is not None, peer.events
        found.append((peer.exit_code, str(failed["verdict"])))
    return found


def test_by_time_on_one_port_meets_each_time_that_a_pause_lies_between(scenario: Scenario) -> None:
    for number in range(TIMES):
        if number:
            time.sleep(SPACING_S)
        # The routers remember the flow before: it is the very same.
        session = meet(scenario, (*AT, soon()), forget=number == 0)
        assert_well(session, scenario)
        fired = {packet.tcp.source[1] for packet in syns(session, "a") if packet.tcp}
        assert fired == {PORT}


@pytest.mark.parametrize("gap_s", GAPS_S)
def test_by_secret_meets_however_far_apart_both_are_started(
    scenario: Scenario, gap_s: float
) -> None:
    env = {"MIDAIR_SECRET": OURS}
    session = meet(scenario, environment={"a": env, "b": env}, b_after_s=gap_s)

    assert_well(session, scenario)
    for side in SIDES:
        meeting = session.peers[side].event("meeting")
        assert meeting is not None
        assert meeting["authenticated"]


def test_by_time_and_with_a_secret_the_partner_is_proven(scenario: Scenario) -> None:
    env = {"MIDAIR_SECRET": OURS}
    session = meet(scenario, by_time(), environment={"a": env, "b": env})

    assert_well(session, scenario)
    assert session.peers["a"].event("warning") is None


@pytest.mark.parametrize("by", ["secret", "time"])
def test_wrong_secret_is_exit_6_on_both_sides_and_no_byte_passes(
    scenario: Scenario, by: str
) -> None:
    arguments = by_time() if by == "time" else ()
    environment: dict[Side, dict[str, str]] = {
        "a": {"MIDAIR_SECRET": OURS},
        "b": {"MIDAIR_SECRET": THEIRS},
    }
    session = meet(scenario, arguments, environment=environment, b_after_s=0.5)

    assert verdicts(session) == [(6, "authentication")] * 2
    assert [session.peers[side].received for side in SIDES] == [b"", b""]


def test_no_clock_is_exit_4_on_both_sides_and_nobody_fires(scenario: Scenario) -> None:
    blocked = RouterSpec(block_ntp=True)
    set_routers(scenario.world, blocked, blocked)
    session = meet(scenario, by_time())

    assert verdicts(session) == [(4, "clock")] * 2
    assert [syns(session, side) for side in SIDES] == [[], []]


def test_nat_that_changes_ports_is_exit_5_and_points_at_the_doctor(scenario: Scenario) -> None:
    set_routers(scenario.world, RouterSpec.named("remapped"), RouterSpec())
    session = meet(scenario, by_time())

    assert [code for code, _ in verdicts(session)] == [5, 5]
    for side in SIDES:
        failed = session.peers[side].event("failed")
        assert failed is not None
        assert "midair doctor" in failed["hint"]


def test_firewalls_of_ipv6_let_a_meeting_through() -> None:
    env = {"MIDAIR_SECRET": OURS}
    with staged(options(world=IPV6_FIREWALLS)) as scenario:
        scenario.end_rendezvous()
        session = meet(scenario, environment={"a": env, "b": env})

        assert_well(session, scenario)
        reset = [p for p in session.packets["a"] if p.tcp and p.tcp.flags & Flags.RST]
        assert {packet.version for packet in session.packets["a"] if packet.tcp} == {6}
        assert all(packet.direction == "in" for packet in reset), "nobody answered unasked"

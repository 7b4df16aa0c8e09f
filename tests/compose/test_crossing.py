"""``docker compose up``: two hosts behind two NATs meet, and the captures of both prove it."""

from __future__ import annotations

import re

import pytest

from lab.diagram import Side, draw_text
from lab.packets import Packet
from lab.replay import Replay, conclusion
from tests.compose.project import Project, Went, connection

DELAY_NS = 20_000_000
"""docker-compose.yml's default."""
TTL, ROUTERS = 64, 2
RENDEZVOUS, NTP = "203.0.113.10", "203.0.113.20"
ROUTER_A, ROUTER_B = "203.0.113.11", "203.0.113.22"
CLOCKS_S = {"peer-a": 3.7, "peer-b": -41.0}

Captures = tuple[list[Packet], list[Packet]]


@pytest.fixture(scope="module")
def went(first: tuple[Project, Went]) -> Went:
    return first[1]


@pytest.fixture(scope="module")
def captures(went: Went, project: Project, tmp_path_factory: pytest.TempPathFactory) -> Captures:
    return project.captures(tmp_path_factory.mktemp("captures"))


@pytest.fixture(scope="module")
def shown(captures: Captures) -> Replay:
    return connection(captures)


def test_up_when_both_connect_exits_with_zero_as_both_peers_do(went: Went) -> None:
    assert went.exit_code == 0, went.output
    assert went.codes["peer-a"] == 0, went.output
    assert went.codes["peer-b"] == 0, went.output


def test_peers_when_connected_hear_what_the_other_one_said(went: Went) -> None:
    assert "I love you, too." in went.said("peer-a").splitlines()
    assert "I love you." in went.said("peer-b").splitlines()


def test_captures_when_put_together_show_two_syns_that_crossed(shown: Replay) -> None:
    assert shown.claim.simultaneous, shown.claim
    assert not shown.claim.listener


def test_peers_when_connected_know_each_other_by_their_routers_only(
    captures: Captures, shown: Replay
) -> None:
    assert shown.flows[0].remote[0] == ROUTER_B
    assert shown.flows[1].remote[0] == ROUTER_A
    for packets, other in zip(captures, (ROUTER_B, ROUTER_A), strict=True):
        ends = {
            end for packet in packets if packet.tcp for end in (packet.source, packet.destination)
        }
        assert ends - {RENDEZVOUS, NTP, other} in ({"10.1.0.2"}, {"10.2.0.2"})


def test_packets_when_they_arrive_have_passed_two_routers(captures: Captures) -> None:
    for packets, other in zip(captures, (ROUTER_B, ROUTER_A), strict=True):
        # Byte 8 of an IPv4 header; answers to unsolicited SYNs come from the router itself.
        lives = {
            packet.raw[8]
            for packet in packets
            if packet.source == other and packet.tcp and packet.tcp.payload_length
        }
        assert lives == {TTL - ROUTERS}


def test_packets_when_they_cross_take_as_long_as_the_delay_says(shown: Replay) -> None:
    flights = [a.end_ns - a.start_ns for a in shown.model.arrows if a.reached_host and a.left_host]
    assert len(flights) >= 6
    assert min(flights) >= DELAY_NS


def test_up_when_both_connect_prints_the_diagram_of_the_captures(went: Went, shown: Replay) -> None:
    lines = [line.rstrip() for line in went.said("peer-b").splitlines()]
    wanted = [line.rstrip() for line in draw_text(shown.model, width=80).splitlines()]
    start = lines.index(wanted[0])
    assert lines[start : start + len(wanted)] == wanted
    assert conclusion(shown).splitlines()[0] in lines
    assert shown.model.name(Side.A) in wanted[0]


def test_clocks_when_wrong_on_purpose_are_found_to_be_so(went: Went) -> None:
    for peer, wrong_s in CLOCKS_S.items():
        told = re.search(
            r"this clock is ([\d.]+) s (ahead|behind) \(± ([\d.]+) ms, by NTP\)", went.said(peer)
        )
        assert told, went.output
        measured_s = float(told[1]) * (1 if told[2] == "ahead" else -1)
        # It is told to the millisecond.
        assert abs(measured_s - wrong_s) <= float(told[3]) / 1e3 + 0.001

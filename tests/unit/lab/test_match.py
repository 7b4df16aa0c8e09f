"""Packets of two captures: what belongs together, what was lost, what they do to the states."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

import pytest

from lab import packets
from lab.diagram import Fate, Flow, Kind, Seen, Side, State, assemble, build, pick_flows, quoting
from lab.diagram.model import ACK, PSH, SYN
from tests.unit.lab import scenes
from tests.unit.lab.scenes import model_of


def test_assemble_when_nats_rewrite_ports_matches_by_sequence_numbers() -> None:
    model = model_of("crossing")
    assert {a.fate for a in model.arrows} == {Fate.ARRIVED}
    assert {a.end_ns - a.start_ns for a in model.arrows} == {20_000_000}
    assert not any(a.from_router for a in model.arrows)


def test_assemble_makes_numbers_relative_across_the_wrap() -> None:
    data = [a for a in model_of("crossing").arrows if a.note]
    assert [(a.sender, a.seq, a.ack, a.label) for a in data] == [
        (Side.A, 73, 73, "“I love you.” 15 B"),
        (Side.B, 73, 73, "“I love you.” 15 B"),
    ]


@pytest.mark.parametrize(("name", "kind"), [("skew-rst", Kind.RST), ("skew-icmp", Kind.ICMP)])
def test_assemble_when_a_router_refuses_ties_the_answer_to_its_syn(name: str, kind: Kind) -> None:
    model = model_of(name)
    refusal = next(a for a in model.arrows if a.kind is kind)
    assert refusal.from_router
    assert refusal.sender is Side.B
    assert refusal.answers is not None
    refused = model.arrows[refusal.answers]
    assert refused.fate is Fate.REFUSED
    # Half way of the round trip.
    assert refused.end_ns == refusal.start_ns == (30_000 + 40_100_000) // 2


def test_assemble_when_a_host_refuses_the_rst_comes_from_it() -> None:
    refusals = [a for a in model_of("no-delay").arrows if a.kind is Kind.RST]
    assert len(refusals) == 225
    assert not any(a.from_router for a in refusals)
    assert all(a.answers is not None for a in refusals)


def test_assemble_when_the_first_of_two_equal_syns_is_lost_matches_the_second() -> None:
    scene = scenes.Scene(20)
    scene.send(Side.A, 0, SYN, 1000, lost=True)
    scene.send(Side.A, 1000, SYN, 1000)
    first, second = scene.model().arrows
    assert (first.fate, first.again) == (Fate.LOST, False)
    assert (second.fate, second.again) == (Fate.ARRIVED, True)
    assert second.label == "SYN seq=0 again"


def test_assemble_when_segments_were_joined_on_the_way_nothing_is_lost() -> None:
    a, b = scenes.FLOWS
    sent = [Seen(10 * n, True, a, ACK, seq=100 * n, ack=5, length=100) for n in range(3)]
    got = [Seen(50, False, b, PSH | ACK, seq=0, ack=5, length=300)]
    model = assemble(sent, got, origin_ns=0, flows=(a, b))
    assert [x.fate for x in model.arrows if not x.from_router] == [Fate.ARRIVED] * 3


def test_states_follow_the_rfc_to_the_end() -> None:
    model = model_of("crossing")
    assert [c.state for c in model.changes if c.side is Side.A] == [
        State.SYN_SENT,
        State.SYN_RECEIVED,
        State.ESTABLISHED,
        State.FIN_WAIT_1,
        State.CLOSING,
        State.TIME_WAIT,
    ]


def test_states_when_an_old_refusal_arrives_late_ignore_it() -> None:
    scene = scenes.Scene(20)
    scene.send(Side.A, 0, SYN, 1000, lost=True)
    scene.send(Side.A, 30, SYN, 2000)
    scene.refuse(Side.A, 40, 1000)
    assert [c.state for c in scene.model().changes] == [State.SYN_SENT]


def _tcp(
    source: str,
    destination: str,
    ports: tuple[int, int],
    flags: int,
    seq: int,
    payload: bytes = b"",
) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", *ports, seq, 0, 5 << 4, flags, 64000, 0, 0) + payload
    return _ip(source, destination, 6, tcp)


def _ip(source: str, destination: str, protocol: int, body: bytes) -> bytes:
    addresses = IPv4Address(source).packed + IPv4Address(destination).packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0)
    return head + addresses + body


def _packet(raw: bytes, t_ns: int, direction: packets.Direction) -> packets.Packet:
    parsed = packets.parse(raw, t_ns=t_ns, direction=direction)
    assert parsed is not None
    return parsed


def test_build_when_other_traffic_is_captured_picks_the_flow_in_both() -> None:
    a_out = _tcp("10.1.0.2", "203.0.113.2", (41000, 20804), SYN, 9)
    b_in = _tcp("198.51.100.2", "10.2.0.2", (41000, 42000), SYN, 9)
    web = _tcp("10.1.0.2", "192.0.2.10", (50000, 8080), SYN, 77)
    model = build(
        [_packet(web, 1, "out"), _packet(a_out, 5, "out")],
        [_packet(b_in, 25, "in")],
        origin_ns=5,
    )
    assert [(x.kind, x.start_ns, x.end_ns) for x in model.arrows] == [(Kind.SYN, 0, 20)]


def test_build_when_icmp_quotes_the_syn_ties_it() -> None:
    syn = _tcp("10.1.0.2", "203.0.113.2", (41000, 42000), SYN, 9)
    icmp = _ip("203.0.113.2", "10.1.0.2", 1, struct.pack("!BBHI", 3, 3, 0, 0) + syn[:28])
    flow = Flow(("10.1.0.2", 41000), ("203.0.113.2", 42000))
    model = build(
        [_packet(syn, 0, "out"), _packet(icmp, 40, "in")], [], origin_ns=0, flows=(flow, flow)
    )
    assert [(x.kind, x.fate, x.start_ns, x.note) for x in model.arrows] == [
        (Kind.SYN, Fate.REFUSED, 0, None),
        (Kind.ICMP, Fate.ARRIVED, 20, "port unreachable"),
    ]


def test_build_quotes_the_message_in_a_payload() -> None:
    raw = _tcp("10.1.0.2", "203.0.113.2", (1, 2), PSH | ACK, 9, b"\x00\x0bI love you.\n")
    sent, got = _packet(raw, 0, "out"), _packet(raw, 20, "in")
    model = build([sent], [got], origin_ns=0, note=quoting([b"I love you.\n"]))
    assert [x.label for x in model.arrows] == ["“I love you.” 14 B"]


def test_pick_flows_when_nothing_is_in_common_is_none() -> None:
    assert pick_flows([Seen(0, True, scenes.FLOWS[0], SYN, seq=1)], []) is None

"""The diagram: what is matched, what is claimed, what is drawn.

The drawings of the hand-made flows are kept in golden/; after a wanted change write them anew::

    MIDAIR_GOLDEN=write pytest tests/unit/lab/test_diagram.py
"""

from __future__ import annotations

import os
import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import packets
from lab.diagram import (
    Fate,
    Flow,
    Kind,
    Seen,
    Side,
    SpaceTime,
    State,
    assemble,
    build,
    crossing,
    draw_svg,
    draw_text,
    pick_flows,
    quoting,
)
from lab.diagram.layout import PICTURE, TEXT, Spacing, fit
from lab.diagram.model import ACK, PSH, SYN
from lab.diagram.svg_frame import LEFT, RIGHT
from tests.unit.lab import scenes

GOLDEN = Path(__file__).with_name("golden")
SVG = "{http://www.w3.org/2000/svg}"


def _model(name: str) -> SpaceTime:
    return SCENES[name]().model()


SCENES: dict[str, Callable[[], scenes.Scene]] = {
    "crossing": scenes.perfect,
    "skew-rst": scenes.skewed,
    "skew-icmp": lambda: scenes.skewed("port unreachable"),
    "drop": scenes.dropped,
    "no-delay": scenes.bare_link,
    "listener": scenes.listened,
}


# --- what is claimed -------------------------------------------------------------------------


def test_crossing_when_syns_cross_holds_with_its_times() -> None:
    found = crossing(_model("crossing"))
    assert found.simultaneous
    assert found.first_shot
    assert found.first_syn_ns == (20_000, 120_000)
    assert found.skew_ns == 100_000
    assert found.established_ns == (40_040_000, 40_140_000)
    assert found.open_ns == 40_020_000
    assert found.met_ns == 10_070_000


@pytest.mark.parametrize("name", ["skew-rst", "skew-icmp", "no-delay"])
def test_crossing_when_a_later_shot_crosses_holds_without_first_shot(name: str) -> None:
    found = crossing(_model(name))
    assert found.simultaneous
    assert not found.first_shot
    assert found.syns is not None
    assert found.syns[0].shot > 1
    assert found.syns[1].shot == 1


def test_crossing_when_one_syn_was_dropped_does_not_hold_but_nobody_listened() -> None:
    found = crossing(_model("drop"))
    assert (found.simultaneous, found.crossed, found.listener) == (False, False, False)
    assert found.established
    assert "lost" in found.reason


def test_crossing_when_a_host_listens_names_the_listener() -> None:
    found = crossing(_model("listener"))
    assert (found.simultaneous, found.listener, found.established) == (False, True, True)
    assert "listening" in found.reason


def test_crossing_when_a_syn_arrives_before_the_other_leaves_does_not_hold() -> None:
    scene = scenes.Scene(20)
    scene.send(Side.A, 0, SYN, 1000)
    scene.send(Side.B, 21, SYN, 7000)
    scene.send(Side.A, 41.1, SYN | ACK, 1000, 7001)
    scene.send(Side.B, 61.2, ACK, 7001, 1001)
    found = crossing(scene.model())
    assert found.established
    assert not found.simultaneous
    assert found.reason == "one SYN arrived before the other left"


def test_crossing_when_nothing_was_captured_does_not_hold() -> None:
    found = crossing(assemble([], [], origin_ns=0))
    assert not found.simultaneous
    assert found.skew_ns is None
    assert found.open_ns is None


# --- what is matched -------------------------------------------------------------------------


def test_assemble_when_nats_rewrite_ports_matches_by_sequence_numbers() -> None:
    model = _model("crossing")
    assert {a.fate for a in model.arrows} == {Fate.ARRIVED}
    assert {a.end_ns - a.start_ns for a in model.arrows} == {20_000_000}
    assert not any(a.from_router for a in model.arrows)


def test_assemble_makes_numbers_relative_across_the_wrap() -> None:
    data = [a for a in _model("crossing").arrows if a.note]
    assert [(a.sender, a.seq, a.ack, a.label) for a in data] == [
        (Side.A, 73, 73, "“I love you.” 15 B"),
        (Side.B, 73, 73, "“I love you.” 15 B"),
    ]


@pytest.mark.parametrize(("name", "kind"), [("skew-rst", Kind.RST), ("skew-icmp", Kind.ICMP)])
def test_assemble_when_a_router_refuses_ties_the_answer_to_its_syn(name: str, kind: Kind) -> None:
    model = _model(name)
    refusal = next(a for a in model.arrows if a.kind is kind)
    assert refusal.from_router
    assert refusal.sender is Side.B
    assert refusal.answers is not None
    refused = model.arrows[refusal.answers]
    assert refused.fate is Fate.REFUSED
    # Half way of the round trip.
    assert refused.end_ns == refusal.start_ns == (30_000 + 40_100_000) // 2


def test_assemble_when_a_host_refuses_the_rst_comes_from_it() -> None:
    refusals = [a for a in _model("no-delay").arrows if a.kind is Kind.RST]
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
    model = _model("crossing")
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


# --- captured packets ------------------------------------------------------------------------


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


# --- what is drawn ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENES)
def test_draw_text_is_as_kept(name: str) -> None:
    drawn = draw_text(_model(name), width=80)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("MIDAIR_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [72, 80, 100, 110, 200])
@pytest.mark.parametrize("name", SCENES)
def test_draw_text_fits_the_terminal(name: str, width: int) -> None:
    lines = draw_text(_model(name), width=width).splitlines()
    assert max(map(len, lines)) <= min(width, 110)
    assert 20 <= len(lines) <= 36


@pytest.mark.parametrize("width", range(72, 111, 3))
@pytest.mark.parametrize("name", ["crossing", "skew-rst", "no-delay"])
def test_draw_text_shows_the_crossing_at_any_width(name: str, width: int) -> None:
    lines = draw_text(_model(name), width=width).splitlines()
    syns = [n for n, line in enumerate(lines) if "SYN-SENT" in line]
    received = [n for n, line in enumerate(lines) if "SYN-RECEIVED" in line]
    assert any("\u2573" in line for line in lines[syns[-1] : received[-1] + 1])


@pytest.mark.parametrize("name", SCENES)
def test_draw_text_coloured_is_the_same_text(name: str) -> None:
    plain, coloured = (draw_text(_model(name), width=80, color=c) for c in (False, True))
    assert "\x1b" not in plain
    assert "\x1b[1;36m" in coloured
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


def test_draw_text_folds_what_repeats() -> None:
    assert "⋮ 446 more SYN/RST" in draw_text(_model("no-delay"), width=80)
    assert "⋮ 313 ms ⋮" in draw_text(_model("drop"), width=80)


def test_draw_text_when_nothing_matches_says_so() -> None:
    assert "No packet" in draw_text(assemble([], [], origin_ns=0), width=80)


@pytest.mark.parametrize("spacing", [TEXT, PICTURE])
@pytest.mark.parametrize("name", SCENES)
def test_layout_keeps_order_at_each_host(name: str, spacing: Spacing) -> None:
    layout = fit(_model(name), 30, spacing)[0]
    for side in Side:
        rows = sorted((t, row) for (host, t), row in layout.rows.items() if host is side)
        at = [row for _, row in rows]
        assert at == sorted(at)
    assert all(top < bottom for _, top, bottom in layout.arrows)
    assert layout.knots == sorted(layout.knots)


@pytest.mark.parametrize("name", SCENES)
def test_draw_svg_is_well_formed_and_needs_nothing_else(name: str) -> None:
    drawn = draw_svg(_model(name), title="A < B & C", caption="so “it” is", hosts=("a<", "&b"))
    root = ET.fromstring(drawn)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == "A < B & C"
    assert not re.search(r"href|@import|url\(|<script|<style", drawn)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.attrib["x"]) <= width
        assert 0 <= float(text.attrib["y"]) <= height


def test_draw_svg_marks_the_crossing_only_where_there_is_one() -> None:
    pictures = {n: draw_svg(_model(n), title="t", caption="c") for n in SCENES}
    marked = {n for n, drawn in pictures.items() if "the SYNs cross" in drawn}
    assert marked == {"crossing", "skew-rst", "skew-icmp", "no-delay"}
    assert all("<circle" in pictures[n] for n in marked)


def test_draw_svg_without_routers_draws_none() -> None:
    drawn = draw_svg(_model("no-delay"), title="t", caption="c", routers=(None, None))
    assert "NAT" not in drawn
    assert "NAT" in draw_svg(_model("crossing"), title="t", caption="c")


_SEEN = st.builds(
    Seen,
    t_ns=st.integers(0, 10**9),
    out=st.booleans(),
    flow=st.just(scenes.FLOWS[0]),
    flags=st.integers(0, 31),
    seq=st.integers(0, 3) | st.integers(0, 2**32 - 1),
    ack=st.integers(0, 3) | st.integers(0, 2**32 - 1),
    length=st.integers(0, 2),
    icmp=st.none() | st.just("port unreachable"),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(_SEEN, max_size=8), st.lists(_SEEN, max_size=8))
def test_any_packets_can_be_drawn(a: list[Seen], b: list[Seen]) -> None:
    flow = scenes.FLOWS[0]
    ordered = [sorted(seen, key=lambda p: p.t_ns) for seen in (a, b)]
    model = assemble(*ordered, origin_ns=0, flows=(flow, flow))
    assert max(map(len, draw_text(model, width=80).splitlines())) <= 80
    ET.fromstring(draw_svg(model, title="t", caption="c"))


@pytest.mark.parametrize("b_ms", [0.5, 5, 15, 19, 21, 25, 35, 39])
def test_draw_svg_says_that_they_cross_between_the_hosts(b_ms: float) -> None:
    scene = scenes.Scene(20)
    scenes.open_crossed(scene, 20, b_ms, 1000, 7000)
    root = ET.fromstring(draw_svg(scene.model(), title="t", caption="c"))
    (said, _) = (x for x in root.iter(f"{SVG}text") if (x.text or "").startswith("the SYNs"))
    half = len(said.text or "") * 14 * 0.6 / 2
    assert float(said.attrib["x"]) - half > LEFT
    assert float(said.attrib["x"]) + half < RIGHT


@pytest.mark.parametrize("name", ["crossing", "skew-rst", "skew-icmp", "drop", "no-delay"])
def test_drawings_show_both_hosts_established(name: str) -> None:
    assert draw_text(_model(name), width=80).count("ESTABLISHED") == 2
    assert draw_svg(_model(name), title="t", caption="c").count("ESTABLISHED") == 2


@pytest.mark.parametrize("spacing", [TEXT, PICTURE])
def test_layout_when_it_gets_too_high_still_shows_what_established(spacing: Spacing) -> None:
    model = _model("drop")
    tight = fit(model, 5, spacing)[0]
    assert {(side, model.established_ns(side)) for side in Side} <= set(tight.rows)

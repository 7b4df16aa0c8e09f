"""Ladders: what is matched, what is told of it, what is drawn.

The drawings are kept in golden/; after a wanted change write them anew::

    MIDAIR_GOLDEN=write pytest tests/unit/lab/test_ladder.py
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.diagram.ladder import (
    Ladder,
    Lane,
    Mark,
    Note,
    Panel,
    annotate,
    build,
    draw_svg,
    draw_text,
    fold,
)
from lab.diagram.ladder.rows import place
from lab.diagram.model import Kind
from tests.unit.lab import ladders
from tests.unit.lab.ladders import ITSELF, ORIGIN_NS, SERVER, SYN, TARGET, A, B

GOLDEN = Path(__file__).with_name("golden")
SVG = "{http://www.w3.org/2000/svg}"
HOSTS = [Lane("A", "192.0.2.1:1314", "A"), Lane("B", "192.0.2.2:1314", "B")]
THREE = [
    Lane("third host", "192.0.2.3", "third", poses_as="server", states=False),
    Lane("client", "192.0.2.1:5001", "client"),
    Lane("server", "192.0.2.2:8443", "server", frozenset({SERVER}), states=False),
]
CALLS = [
    Lane("the client", "any port", "host", states=False),
    Lane("port 40200", "nobody listens", "host", frozenset({TARGET})),
]


def crossing() -> Ladder:
    return build(ladders.crossing().captures, HOSTS, quotes=["I love you."])


def itself() -> Ladder:
    lane = Lane("the socket", "127.0.0.1:1314", "host")
    return build(ladders.itself().captures, [lane], quotes=["I love you."])


def forged() -> Ladder:
    found = build(ladders.forged().captures, THREE)
    told = Note(1, ORIGIN_NS + 60_400_000, "connect(): ECONNRESET", Mark.FAILED)
    return annotate(found, [told])


def calls() -> Ladder:
    found = build(ladders.calls(9).captures, CALLS)
    shown = {id(flight) for flight in (*found.flights[:2], *found.flights[-2:])}
    return fold(found, lambda f: id(f) in shown, lambda of: f"{len(of) // 2} more calls")


LADDERS: dict[str, Callable[[], Ladder]] = {
    "crossing": crossing,
    "itself": itself,
    "forged": forged,
    "calls": calls,
}


def test_build_when_packets_cross_knows_who_sent_what_and_when_it_arrived() -> None:
    flights = crossing().flights

    assert [(f.source, f.target, f.start_ns, f.end_ns) for f in flights[:2]] == [
        (0, 1, 0, 20_000_000),
        (1, 0, 100_000, 20_100_000),
    ]
    assert flights[-1].label == "PSH·ACK seq=1 ack=1 “I love you.”"


def test_build_when_numbers_wrap_makes_them_relative() -> None:
    assert [(f.flags, f.seq, f.ack) for f in crossing().flights] == [
        ("SYN", 0, None),
        ("SYN", 0, None),
        ("SYN·ACK", 0, 1),
        ("SYN·ACK", 0, 1),
        ("PSH·ACK", 1, 1),
    ]


def test_build_when_a_socket_calls_itself_starts_and_ends_at_one_lane() -> None:
    found = itself()

    assert {(f.source, f.target, f.flow) for f in found.flights} == {(0, 0, (ITSELF, ITSELF))}
    assert found.states(0) == ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]


def test_build_when_a_syn_is_forged_says_in_whose_name_and_what_it_does() -> None:
    found = forged()

    assert [(f.source, f.label) for f in found.flights if f.kind is Kind.SYN] == [
        (1, "SYN seq=0"),
        (0, "SYN seq=0 as “server”"),
    ]
    # The true answer contradicts the SYN that was taken for the server's, and changes nothing.
    assert found.states(1) == ["SYN-SENT", "SYN-RECEIVED", "CLOSED"]
    # The reset has the number that the forger chose: that is why it counts.
    assert [f.label for f in found.flights if f.kind is Kind.RST] == ["RST seq=1"]


def test_build_when_the_forged_host_is_asked_too_it_stays_where_it_is() -> None:
    """The client's SYN·ACK acknowledges the forger's number, which the server never sent."""
    scene = ladders.Scene()
    there, back = (ladders.CLIENT, SERVER), (SERVER, ladders.CLIENT)
    scene.tcp(0, ("server", "client"), back, SYN, (4_000_000_000, 0))
    scene.tcp(2, ("client", "server"), there, SYN, (1000, 0))
    scene.tcp(4, ("client", "server"), there, SYN | ladders.ACK, (1000, 7001))
    lanes = [*THREE[:2], Lane("server", "", "server", frozenset({SERVER}))]

    found = build(scene.captures, lanes)

    assert found.states(2) == ["SYN-SENT", "SYN-RECEIVED"]


def test_build_when_a_port_refuses_shows_no_number_that_means_nothing() -> None:
    refusals = [f for f in calls().flights if f.kind is Kind.RST]

    assert [f.label for f in refusals] == ["RST·ACK ack=1"] * 2


def test_build_when_a_syn_is_sent_again_says_so() -> None:
    scene = ladders.Scene()
    for at_ms in (0, 1000):
        scene.tcp(at_ms, ("A", "B"), (A, B), SYN, (77, 0))

    labels = [f.label for f in build(scene.captures, HOSTS).flights]

    assert labels == ["SYN seq=0", "SYN seq=0 again"]


def test_build_when_a_packet_never_arrives_is_lost_on_its_way_to_its_lane() -> None:
    scene = ladders.Scene()
    scene.tcp(0, ("A", "B"), (A, B), SYN, (77, 0), takes_ms=None)
    lanes = [HOSTS[0], Lane("B", "", "B", frozenset({B}))]

    (flight,) = build(scene.captures, lanes).flights

    assert (flight.source, flight.target, flight.lost) == (0, 1, True)
    assert "×" in draw_text(build(scene.captures, lanes))


def test_build_when_packets_are_nobodys_leaves_them_out() -> None:
    lanes = [Lane("A", "", "A", frozenset({A})), Lane("B", "", "B", frozenset({("192.0.2.2", 9)}))]

    found = build(ladders.crossing().captures, lanes)

    assert (found.flights, found.notes) == ((), ())


def test_build_when_datagrams_fly_shows_their_length() -> None:
    scene = ladders.Scene()
    scene.udp(0, ("A", "B"), (A, B), b"four")
    scene.udp(1, ("A", "B"), (A, B), b"hello")

    found = build(scene.captures, HOSTS, quotes=["hello"])

    assert [f.label for f in found.flights] == ["UDP 4 B", "UDP “hello”"]
    assert found.notes == ()


def test_annotate_when_something_happened_before_the_first_packet_puts_it_first() -> None:
    found = annotate(crossing(), [Note(1, ORIGIN_NS - 5, "listen(1)")])

    assert (found.notes[0].text, found.notes[0].t_ns) == ("listen(1)", 0)


def test_fold_when_packets_are_not_kept_counts_every_one() -> None:
    found = calls()

    assert [f.text for f in found.folds] == ["7 more calls"]
    assert len(found.flights) == 4


@pytest.mark.parametrize("name", LADDERS)
@pytest.mark.parametrize("margins", [False, True])
def test_place_when_time_passes_never_goes_up(name: str, margins: bool) -> None:
    rows = place(LADDERS[name](), margins=margins)

    times = [rows.times[row] for row in sorted(rows.times)]
    assert times == sorted(times)
    assert all(top <= bottom < rows.height for _, top, bottom in rows.flights)
    assert len(rows.flights) == len(LADDERS[name]().flights)


def test_place_when_packets_fly_on_over_a_fold_still_goes_down() -> None:
    scene = ladders.Scene()
    for at_ms in (0, 10, 20, 30):
        scene.tcp(at_ms, ("A", "B"), (A, B), SYN, (at_ms, 0), takes_ms=25)
    whole = build(scene.captures, HOSTS)
    rows = place(fold(whole, lambda f: f.start_ns != 20_000_000, lambda _: "one more"))

    ((what, at),) = rows.folds
    times = [rows.times[row] for row in sorted(rows.times)]
    first, second, last = ((top, bottom) for _, top, bottom in rows.flights)
    assert what.text == "one more"
    assert times == sorted(times)
    # Below what was in the air when it began; what left later may land later.
    assert first[1] < second[1] < at < last[1] < rows.height


@pytest.mark.parametrize("name", LADDERS)
def test_text_when_drawn_is_the_golden_one(name: str) -> None:
    drawn = draw_text(LADDERS[name](), width=80)
    path = GOLDEN / f"ladder-{name}.txt"
    if os.environ.get("MIDAIR_GOLDEN") == "write":
        path.write_text(drawn)

    assert drawn == path.read_text()


@pytest.mark.parametrize("name", LADDERS)
@pytest.mark.parametrize("width", [1, 72, 100, 500])
def test_text_when_drawn_stays_within_the_width(name: str, width: int) -> None:
    lines = draw_text(LADDERS[name](), width=width).splitlines()

    assert max(map(len, lines)) <= max(72, min(width, 110))


def test_text_when_coloured_is_the_same_without_the_colours() -> None:
    plain = draw_text(crossing())
    coloured = draw_text(crossing(), color=True)

    assert coloured != plain
    stripped = "".join(
        part.partition("m")[2] if n else part for n, part in enumerate(coloured.split("\x1b["))
    )
    assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


def test_svg_when_drawn_has_every_packet_and_state_within_its_edges() -> None:
    panels = [Panel(name, make()) for name, make in LADDERS.items()]

    root = ET.fromstring(draw_svg(panels, title="All & more", caption="<captured>"))

    texts = [element.text for element in root.iter(f"{SVG}text")]
    for panel in panels:
        assert panel.title in texts
        for flight in panel.ladder.flights:
            assert flight.label in texts
        for note in panel.ladder.notes:
            assert note.text in texts
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for element in root.iter(f"{SVG}text"):
        assert 0 <= float(element.attrib["x"]) <= width
        assert 0 <= float(element.attrib["y"]) <= height


def test_svg_when_there_are_many_lanes_is_wide_enough_for_the_labels() -> None:
    lanes = [Lane(name, "", name) for name in "ABCDE"]
    found = build(ladders.crossing().captures, lanes)

    root = ET.fromstring(draw_svg([Panel("", found)], title="", caption=""))

    assert float(root.attrib["width"]) > 1000


def test_svg_when_a_packet_passes_right_of_a_middle_lane_has_its_note_on_the_left() -> None:
    told = Note(1, ORIGIN_NS + 60_000_000, "connect(): ECONNRESET")
    found = annotate(build(ladders.forged().captures, THREE), [told])
    root = ET.fromstring(draw_svg([Panel("", found)], title="", caption=""))
    at = {text.text: float(text.attrib["x"]) for text in root.iter(f"{SVG}text")}

    # The RST from the server is about to arrive: it passes there on the right.
    assert at["third host"] < at["connect(): ECONNRESET"] < at["client"]

"""No two texts of a picture overlap, no frame cuts one, and no line goes through a label."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.diagram import draw_svg as draw_crossing
from lab.diagram.labels import LETTER, Labels, Segment, beside, meeting
from lab.diagram.ladder import Lane, Panel, annotate, build, draw_svg
from lab.diagram.ladder.model import Note
from lab.diagram.svg_style import Svg
from tests.unit.lab import ladders
from tests.unit.lab.boxes import cut_by_a_frame, overlapping
from tests.unit.lab.ladders import ACK, CLIENT, ORIGIN_NS, PSH, SERVER, SYN
from tests.unit.lab.scenes import SCENES, model_of
from tests.unit.lab.test_ladder import LADDERS

DOCS = Path(__file__).parents[3] / "docs"
SHOWN = [*sorted((DOCS / "experiments").glob("*.svg")), DOCS / "crossing.svg", DOCS / "refired.svg"]
"""The pictures of packets; those of the benchmarks are drawn by matplotlib."""


def svg_of(text_at: tuple[float, float], angle: float = 0) -> str:
    """Two texts, the second one where it is wanted, and a frame below."""
    svg = Svg(400, 300)
    svg.text((100, 100), "a first one", angle=10)
    svg.text(text_at, "a second one", angle=angle)
    svg.rect(50, 200, 300, 22, fill="none")
    return svg.document(title="", description="")


@pytest.mark.parametrize(
    ("at", "overlap", "cut"),
    [
        ((100, 90), [("a first one", "a second one")], []),
        ((100, 80), [], []),
        ((100, 125), [], []),
        ((100, 199), [], ["a second one"]),
        ((100, 216), [], []),
    ],
)
def test_boxes_when_texts_are_near_each_other_tell_which_overlap(
    at: tuple[float, float], overlap: list[tuple[str, str]], cut: list[str]
) -> None:
    svg = svg_of(at, angle=10 if at[1] < 130 else 0)

    assert (overlapping(svg), cut_by_a_frame(svg)) == (overlap, cut)


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.stem)
def test_picture_when_shown_has_no_text_over_another(path: Path) -> None:
    svg = path.read_text()

    assert (overlapping(svg), cut_by_a_frame(svg)) == ([], [])


def waiting() -> Panel:
    """Packets between pauses in which nothing happens, as of a SYN that is sent again and again."""
    scene = ladders.Scene()
    there, back = (CLIENT, SERVER), (SERVER, CLIENT)
    for at_ms in (0, 1000, 3000):
        scene.tcp(at_ms, ("client", "server"), there, SYN, (1000, 0), takes_ms=0.01)
    scene.tcp(3000.02, ("server", "client"), back, SYN | ACK, (7000, 1001), takes_ms=0.01)
    scene.tcp(
        4000, ("client", "server"), there, PSH | ACK, (1001, 7001), payload=b"hi", takes_ms=0.01
    )
    lanes = [
        *(Lane(f"host {n}", f"192.0.2.{n}", f"host {n}") for n in (3, 4)),
        Lane("client", "192.0.2.1:5001", "client"),
        Lane("server", "192.0.2.2:8443", "server", frozenset({SERVER})),
    ]
    told = Note(2, ORIGIN_NS + 3_500_000_000, "connect(): EINPROGRESS")
    return Panel("Waiting", annotate(build(scene.captures, lanes, quotes=["hi"]), [told]))


def test_ladder_when_drawn_has_no_text_over_another() -> None:
    panels = [*(Panel(name, make()) for name, make in LADDERS.items()), waiting()]

    for panel in panels:
        svg = draw_svg([panel], title="A title", caption="A caption")
        assert (panel.title, overlapping(svg), cut_by_a_frame(svg)) == (panel.title, [], [])


@pytest.mark.parametrize("name", SCENES)
def test_crossing_when_drawn_has_no_text_over_another(name: str) -> None:
    svg = draw_crossing(model_of(name), title="A title", caption="A caption", hosts=("A", "B"))

    assert (overlapping(svg), cut_by_a_frame(svg)) == ([], [])


def test_label_when_another_line_crosses_its_own_is_beside_both() -> None:
    own: Segment = (522.0, 435.0), (824.0, 516.0)
    other: Segment = (824.0, 354.0), (522.0, 570.0)
    posts: list[Segment] = [((x, 100.0), (x, 881.0)) for x in (522.0, 824.0)]
    at = meeting(own, other)
    assert at is not None

    spot = Labels([own, other, *posts]).take(beside(own, 160, 12.5), 160, 12.5)
    (left, top), (right, bottom) = (spot.letters(160, 12.5)[n] for n in (0, -1))

    for line in (own, other):
        for lift in (-LETTER, 0.0, LETTER):
            assert meeting(((left, top + lift), (right, bottom + lift)), line) is None

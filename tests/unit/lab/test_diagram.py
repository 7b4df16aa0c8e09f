"""The diagram, as text and as picture.

The drawings of the hand-made flows are kept in golden/; after a wanted change write them anew::

    MIDAIR_GOLDEN=write pytest tests/unit/lab/test_diagram.py
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.diagram import Seen, Side, assemble, draw_svg, draw_text
from lab.diagram.layout import PICTURE, TEXT, Spacing, fit
from lab.diagram.svg_frame import LEFT, RIGHT
from tests.unit.lab import scenes
from tests.unit.lab.scenes import SCENES, model_of

GOLDEN = Path(__file__).with_name("golden")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", SCENES)
def test_draw_text_is_as_kept(name: str) -> None:
    drawn = draw_text(model_of(name), width=80)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("MIDAIR_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [72, 80, 100, 110, 200])
@pytest.mark.parametrize("name", SCENES)
def test_draw_text_fits_the_terminal(name: str, width: int) -> None:
    lines = draw_text(model_of(name), width=width).splitlines()
    assert max(map(len, lines)) <= min(width, 110)
    assert 20 <= len(lines) <= 36


@pytest.mark.parametrize("width", range(72, 111, 3))
@pytest.mark.parametrize("name", ["crossing", "skew-rst", "no-delay"])
def test_draw_text_shows_the_crossing_at_any_width(name: str, width: int) -> None:
    lines = draw_text(model_of(name), width=width).splitlines()
    syns = [n for n, line in enumerate(lines) if "SYN-SENT" in line]
    received = [n for n, line in enumerate(lines) if "SYN-RECEIVED" in line]
    assert any("\u2573" in line for line in lines[syns[-1] : received[-1] + 1])


@pytest.mark.parametrize("name", SCENES)
def test_draw_text_coloured_is_the_same_text(name: str) -> None:
    plain, coloured = (draw_text(model_of(name), width=80, color=c) for c in (False, True))
    assert "\x1b" not in plain
    assert "\x1b[1;36m" in coloured
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


def test_draw_text_folds_what_repeats() -> None:
    assert "⋮ 446 more SYN/RST" in draw_text(model_of("no-delay"), width=80)
    assert "⋮ 313 ms ⋮" in draw_text(model_of("drop"), width=80)


def test_draw_text_when_nothing_matches_says_so() -> None:
    assert "No packet" in draw_text(assemble([], [], origin_ns=0), width=80)


@pytest.mark.parametrize("spacing", [TEXT, PICTURE])
@pytest.mark.parametrize("name", SCENES)
def test_layout_keeps_order_at_each_host(name: str, spacing: Spacing) -> None:
    layout = fit(model_of(name), 30, spacing)[0]
    for side in Side:
        rows = sorted((t, row) for (host, t), row in layout.rows.items() if host is side)
        at = [row for _, row in rows]
        assert at == sorted(at)
    assert all(top < bottom for _, top, bottom in layout.arrows)
    assert layout.knots == sorted(layout.knots)


@pytest.mark.parametrize("name", SCENES)
def test_draw_svg_is_well_formed_and_needs_nothing_else(name: str) -> None:
    drawn = draw_svg(model_of(name), title="A < B & C", caption="so “it” is", hosts=("a<", "&b"))
    root = ET.fromstring(drawn)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == "A < B & C"
    assert not re.search(r"href|@import|url\(|<script|<style", drawn)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.attrib["x"]) <= width
        assert 0 <= float(text.attrib["y"]) <= height


def test_draw_svg_marks_the_crossing_only_where_there_is_one() -> None:
    pictures = {n: draw_svg(model_of(n), title="t", caption="c") for n in SCENES}
    marked = {n for n, drawn in pictures.items() if "the SYNs cross" in drawn}
    assert marked == {"crossing", "skew-rst", "skew-icmp", "no-delay"}
    assert all("<circle" in pictures[n] for n in marked)


def test_draw_svg_without_routers_draws_none() -> None:
    drawn = draw_svg(model_of("no-delay"), title="t", caption="c", routers=(None, None))
    assert "NAT" not in drawn
    assert "NAT" in draw_svg(model_of("crossing"), title="t", caption="c")


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
    assert draw_text(model_of(name), width=80).count("ESTABLISHED") == 2
    assert draw_svg(model_of(name), title="t", caption="c").count("ESTABLISHED") == 2


@pytest.mark.parametrize("spacing", [TEXT, PICTURE])
def test_layout_when_it_gets_too_high_still_shows_what_established(spacing: Spacing) -> None:
    model = model_of("drop")
    tight = fit(model, 5, spacing)[0]
    assert {(side, model.established_ns(side)) for side in Side} <= set(tight.rows)

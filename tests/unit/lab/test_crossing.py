"""What is claimed of two hosts' captures: whether two SYNs crossed, when, and why not."""

from __future__ import annotations

import pytest

from lab.diagram import Side, assemble, crossing
from lab.diagram.model import ACK, SYN
from tests.unit.lab import scenes
from tests.unit.lab.scenes import model_of


def test_crossing_when_syns_cross_holds_with_its_times() -> None:
    found = crossing(model_of("crossing"))
    assert found.simultaneous
    assert found.first_shot
    assert found.first_syn_ns == (20_000, 120_000)
    assert found.skew_ns == 100_000
    assert found.established_ns == (40_040_000, 40_140_000)
    assert found.open_ns == 40_020_000
    assert found.met_ns == 10_070_000


@pytest.mark.parametrize("name", ["skew-rst", "skew-icmp", "no-delay"])
def test_crossing_when_a_later_shot_crosses_holds_without_first_shot(name: str) -> None:
    found = crossing(model_of(name))
    assert found.simultaneous
    assert not found.first_shot
    assert found.syns is not None
    assert found.syns[0].shot > 1
    assert found.syns[1].shot == 1


def test_crossing_when_one_syn_was_dropped_does_not_hold_but_nobody_listened() -> None:
    found = crossing(model_of("drop"))
    assert (found.simultaneous, found.crossed, found.listener) == (False, False, False)
    assert found.established
    assert "lost" in found.reason


def test_crossing_when_a_host_listens_names_the_listener() -> None:
    found = crossing(model_of("listener"))
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

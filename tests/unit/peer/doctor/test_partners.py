"""What the doctor expects of each kind of partner."""

from __future__ import annotations

import pytest

from peer.core.doctor.nat import NatSeen
from peer.core.doctor.partners import KINDS, expectations
from tests.unit.peer.doctor.test_checks import OWN, PUBLIC, ipv6_seen, nat


@pytest.mark.parametrize(
    ("kind", "rendezvous", "meet"),
    [
        ("none", [True, True, True, False], [True, True, False, False]),
        ("preserving", [True, True, True, False], [True, True, False, False]),
        ("remapped", [True, True, True, False], [False] * 4),
        ("sequential", [False] * 4, [False] * 4),
        ("random", [False] * 4, [False] * 4),
    ],
)
def test_expectations_when_the_nat_is_known_are_the_planners(
    kind: str, rendezvous: list[bool], meet: list[bool]
) -> None:
    rows = expectations(nat(kind, own=PUBLIC if kind == "none" else OWN), has_ntp=True)

    assert [row.partner for row in rows] == [name for name, _, _ in KINDS]
    assert [row.rendezvous for row in rows] == rendezvous
    assert [row.meet for row in rows] == meet


def test_expectations_when_there_is_no_clock_or_nothing_was_seen() -> None:
    without = expectations(nat("preserving"), has_ntp=False)
    blind = expectations(NatSeen(asked=False), has_ntp=True)

    assert {row.meet for row in without} == {False}
    assert {(row.rendezvous, row.meet) for row in blind} == {(None, None)}


def test_expectations_when_ipv6_was_reached_have_a_row_for_it() -> None:
    row = expectations(ipv6_seen("2001:db8:a1::2"), has_ntp=True)[-1]

    assert (row.partner, row.rendezvous, row.meet) == ("IPv6, like this host", True, True)


@pytest.mark.parametrize(
    ("seen", "rendezvous", "meet"),
    [
        (nat("none", own="127.0.0.1"), [None, None, None, False], [None, None, False, False]),
        (nat("none", own="10.0.0.5"), [None, None, None, False], [None, None, False, False]),
        (
            nat("remapped", own="192.168.1.5", outside="100.64.0.9"),
            [None, None, None, False],
            [False] * 4,
        ),
        (nat("random", own="192.168.1.5", outside="10.0.0.9"), [False] * 4, [False] * 4),
    ],
)
def test_expectations_when_reflectors_are_on_this_side_of_the_nat_are_never_a_yes(
    seen: NatSeen, rendezvous: list[bool | None], meet: list[bool | None]
) -> None:
    rows = expectations(seen, has_ntp=True)

    assert [row.rendezvous for row in rows] == rendezvous
    assert [row.meet for row in rows] == meet


def test_expectations_when_ipv6_is_seen_in_a_private_network_only_are_not_known() -> None:
    row = expectations(ipv6_seen("fd00::2"), has_ntp=True)[-1]

    assert (row.rendezvous, row.meet) == (None, False)

"""When a pair fires again: at once, then spaced, then spread; never beyond the budget."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peer.core.times import MonoNs
from peer.core.volley import (
    BURST_SHOTS,
    FOLLOWER_SHOTS,
    SPACING_NS,
    SPREAD_FROM,
    SYN_CEILING,
    VolleyRule,
)

MS, S = 10**6, 10**9
DEADLINE = MonoNs(5 * S)
draws = st.floats(0, 1, exclude_max=True)


def refuse(rule: VolleyRule, times: int, *, pair: int = 0, at: int = 0, draw: float = 0.5) -> bool:
    """Fire and refuse; returns what the last refusal led to."""
    again = True
    for _ in range(times):
        rule.fired(pair)
        again = rule.refused(pair, MonoNs(at), draw)
    return again


@given(draws)
def test_refused_when_in_the_burst_fires_again_at_once(draw: float) -> None:
    rule = VolleyRule(SYN_CEILING, DEADLINE)

    assert refuse(rule, BURST_SHOTS - 1, draw=draw)
    assert rule.next_due() is None


def test_refused_when_the_burst_is_over_puts_the_shot_off() -> None:
    rule = VolleyRule(SYN_CEILING, DEADLINE)

    assert not refuse(rule, BURST_SHOTS, at=7, draw=0.25)
    assert rule.next_due() == 7 + SPACING_NS // 4 + 1


def test_refused_when_another_pairs_burst_is_over_still_fires_at_once() -> None:
    rule = VolleyRule(SYN_CEILING, DEADLINE)
    refuse(rule, BURST_SHOTS, pair=0)

    assert refuse(rule, 1, pair=1)


@given(draws)
def test_refused_when_spaced_waits_between_nothing_and_the_spacing(draw: float) -> None:
    rule = VolleyRule(SYN_CEILING, DEADLINE)
    refuse(rule, BURST_SHOTS, at=9, draw=draw)

    due = rule.next_due()
    assert due is not None
    assert 9 < due <= 9 + SPACING_NS


def test_refused_when_most_of_the_budget_is_gone_spreads_the_rest() -> None:
    rule = VolleyRule(1_000, DEADLINE)
    for _ in range(int(1_000 * SPREAD_FROM)):
        rule.fired(0)
    rest = 1_000 - rule.shots

    assert not rule.refused(0, MonoNs(S), 0.5)
    due = rule.next_due()
    # With a draw of one half each pause is the mean: the rest of the budget lasts for the rest
    # of the time.
    assert due is not None
    assert due - S == pytest.approx((DEADLINE - S) / rest, rel=0.01)


@pytest.mark.parametrize(("budget", "at"), [(3, 0), (1_000, DEADLINE)])
def test_refused_when_budget_or_time_is_over_never_fires_again(budget: int, at: int) -> None:
    rule = VolleyRule(budget, DEADLINE)
    for _ in range(3):
        rule.fired(0)

    assert not rule.refused(0, MonoNs(at), 0.5)
    assert rule.next_due() is None


def test_take_due_when_time_has_come_gives_each_pair_once_in_order() -> None:
    rule = VolleyRule(SYN_CEILING, DEADLINE)
    for pair in (0, 1, 2):
        rule.fired(pair)
    refuse(rule, 3 * BURST_SHOTS - 1, pair=0, draw=0.9)
    refuse(rule, FOLLOWER_SHOTS - 1, pair=1, draw=0.1)
    refuse(rule, FOLLOWER_SHOTS - 1, pair=2, draw=0.5)

    assert rule.take_due(MonoNs(0)) == []
    assert rule.take_due(MonoNs(SPACING_NS // 2 + 1)) == [1, 2]
    assert rule.take_due(MonoNs(SPACING_NS)) == [0]
    assert rule.take_due(DEADLINE) == []


def test_refused_when_there_are_followers_leaves_their_buckets_to_the_lead() -> None:
    rule = VolleyRule(SYN_CEILING, DEADLINE)
    for pair in range(4):
        assert refuse(rule, FOLLOWER_SHOTS - 1, pair=pair)

    assert not any(refuse(rule, 1, pair=pair) for pair in (1, 2, 3))
    assert refuse(rule, 4 * BURST_SHOTS - FOLLOWER_SHOTS, pair=0)
    assert not refuse(rule, 1, pair=0)


def test_refused_when_the_rest_is_spread_gives_the_lead_most_of_it() -> None:
    rule = VolleyRule(1_000, DEADLINE)
    rule.fired(1)
    refuse(rule, 700, pair=0)
    rule.take_due(DEADLINE)

    refuse(rule, 1, pair=0)
    lead = rule.next_due()
    rule.take_due(DEADLINE)
    refuse(rule, 1, pair=1)
    follower = rule.next_due()

    assert lead is not None
    assert follower is not None
    assert follower > 9 * lead


@given(st.lists(st.tuples(st.integers(0, 3), draws), max_size=80), st.integers(1, 60))
@settings(max_examples=50)
def test_counts_when_anything_is_refused_add_up(
    refusals: list[tuple[int, float]], budget: int
) -> None:
    rule = VolleyRule(budget, DEADLINE)
    for pair, draw in refusals:
        if not rule.spent:
            rule.fired(pair)
            rule.refused(pair, MonoNs(0), draw)

    assert rule.shots == rule.refusals == min(budget, len(refusals))
    assert sum(rule.shots_of.values()) == rule.shots
    assert rule.refused_of == rule.shots_of
    assert rule.spent == (len(refusals) >= budget)

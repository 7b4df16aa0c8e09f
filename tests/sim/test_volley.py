"""Measured facts about crossing SYNs, reproduced as properties of the rule that re-fires."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peer.core.times import MonoNs
from peer.core.volley import SYN_CEILING, VolleyRule
from tests.sim.nats import Answer, Crossing, Rule

US, MS, S = 10**3, 10**6, 10**9
DEADLINE = 5 * S
seeds = st.integers(0, 2**32).map(random.Random)
delays = st.integers(5 * MS, 60 * MS)
refusing: st.SearchStrategy[Answer] = st.sampled_from(["rst", "icmp"])
EXAMPLES = 60


@dataclass
class Pausing:
    """What not to do: one more shot after a pause, or none at all."""

    pause_ns: int | None
    random_share: float = 0.0
    shots: int = 0
    spent: bool = False
    _due: list[MonoNs] = field(default_factory=list)

    def fired(self, pair: int) -> None:
        self.shots += 1

    def refused(self, pair: int, now: MonoNs, draw: float) -> bool:
        if self.pause_ns is not None:
            share = 1 - self.random_share + self.random_share * draw
            self._due = [MonoNs(now + int(self.pause_ns * share))]
        return False

    def next_due(self) -> MonoNs | None:
        return self._due[0] if self._due else None

    def take_due(self, now: MonoNs) -> list[int]:
        due, self._due = self._due, []
        return [0] * len(due)


def ours() -> VolleyRule:
    return VolleyRule(SYN_CEILING, MonoNs(DEADLINE))


def cross(
    rules: tuple[Rule, Rule],
    rng: random.Random,
    delay_ns: int,
    skew_ns: int,
    answer: Answer = "rst",
    **more: int,
) -> int | None:
    """Return when both had the connection, in ns after the later one's start."""
    volley = Crossing(
        rules,
        delay_ns=delay_ns,
        skew_ns=skew_ns,
        answer=answer,
        rng=rng,
        pairs=more.get("pairs", 1),
    )
    done_at = volley.run(2 * DEADLINE)
    return None if done_at is None else done_at - skew_ns


@given(seeds, delays, st.integers(0, 200 * MS))
@settings(max_examples=EXAMPLES)
def test_one_shot_each_when_refused_by_rst_crosses_only_within_the_delay(
    rng: random.Random, delay_ns: int, skew_ns: int
) -> None:
    took = cross((Pausing(None), Pausing(None)), rng, delay_ns, skew_ns)

    assert (took is not None) == (skew_ns <= delay_ns)


@given(seeds, delays, st.integers(0, 4 * S))
@settings(max_examples=EXAMPLES)
def test_one_shot_each_when_nats_drop_connects_a_round_trip_after_the_later(
    rng: random.Random, delay_ns: int, skew_ns: int
) -> None:
    took = cross((Pausing(None), Pausing(None)), rng, delay_ns, skew_ns, "drop")

    assert took is not None
    assert took <= 2 * delay_ns


@given(seeds, delays, st.integers(0, 1_500 * MS), refusing)
@settings(max_examples=EXAMPLES)
def test_refire_at_once_when_refused_connects_a_round_trip_after_the_later(
    rng: random.Random, delay_ns: int, skew_ns: int, answer: Answer
) -> None:
    early, late = ours(), ours()
    took = cross((early, late), rng, delay_ns, skew_ns, answer, pairs=4)

    assert took is not None
    assert took <= 2 * delay_ns + MS
    # One SYN a round trip and pair, until the later one has started and the SYNs have crossed.
    assert early.shots <= 4 * (skew_ns // (2 * delay_ns) + 2)
    assert late.shots <= 8


@given(seeds, delays, st.integers(0, 1_500 * MS))
@settings(max_examples=EXAMPLES)
def test_refire_at_once_when_there_is_one_pair_connects_too_but_may_need_luck(
    rng: random.Random, delay_ns: int, skew_ns: int
) -> None:
    """A SYN that comes in the moment between refusal and re-fire meets no hole, and then both
    sides' moments follow each other until their reactions differ: four pairs are there for that.
    """
    took = cross((ours(), ours()), rng, delay_ns, skew_ns)

    assert took is not None
    assert took <= 2 * delay_ns * 20


def test_pause_when_it_is_fixed_locks_into_step_and_never_connects() -> None:
    rules = Pausing(100 * MS), Pausing(100 * MS)

    assert cross(rules, random.Random(1), 20 * MS, 100 * MS) is None
    assert min(rule.shots for rule in rules) > 50


@given(seeds, delays, st.integers(0, 1_500 * MS))
@settings(max_examples=EXAMPLES)
def test_pause_when_it_is_random_connects_later(
    rng: random.Random, delay_ns: int, skew_ns: int
) -> None:
    rules = Pausing(2 * delay_ns, 1.0), Pausing(2 * delay_ns, 1.0)

    assert cross(rules, rng, delay_ns, skew_ns) is not None


@pytest.mark.parametrize("skew_ns", [0, 200 * US, 5 * MS, 50 * MS, S, 4 * S])
def test_no_delay_when_refusals_take_microseconds_connects_within_the_budget(skew_ns: int) -> None:
    for seed in range(3):
        rules = ours(), ours()
        volley = Crossing(
            rules,
            delay_ns=5 * US,
            skew_ns=skew_ns,
            answer="rst",
            rng=random.Random(seed),
            pairs=4,
            react_ns=(5 * US, 20 * US),
        )
        done_at = volley.run(DEADLINE)

        assert done_at is not None
        if skew_ns <= 50 * MS:
            assert done_at - skew_ns <= 20 * MS
        assert max(rule.shots for rule in rules) <= SYN_CEILING


def test_budget_when_the_partner_never_comes_lasts_until_the_deadline() -> None:
    early, never = ours(), ours()
    volley = Crossing(
        (early, never),
        delay_ns=5 * US,
        skew_ns=2 * DEADLINE,
        answer="rst",
        rng=random.Random(1),
        pairs=4,
        react_ns=(5 * US, 20 * US),
    )
    volley.run(DEADLINE * 9 // 10)
    before_the_end = early.shots

    assert volley.run(2 * DEADLINE - 1) is None
    assert before_the_end < early.shots <= SYN_CEILING

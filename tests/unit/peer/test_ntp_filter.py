"""Honest servers' truth is always inside the bound; a minority of liars changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.clockmap import OffsetEstimate
from peer.core.ntp_filter import FILTER_STAGES, Sample, Selection, best, select
from peer.core.times import PHI_PPM, LocalNs, MonoNs, UtcNs

MS = 1_000_000
S = 10**9


def sample(
    offset: int, *, out: int = MS, back: int = MS, at: int = 0, root: int = 0, server: str = "s"
) -> Sample:
    """Simulate an answer of a server whose own clock is ``offset`` ahead of ours."""
    t1 = 10**18 + at
    t4 = t1 + out + back
    t2 = t1 + out + offset
    return Sample(LocalNs(t1), UtcNs(t2), UtcNs(t2), LocalNs(t4), MonoNs(t4 - 10**18), root, server)


@dataclass(frozen=True)
class Truth:
    """UTC against a local clock that runs up to PHI too slow or too fast."""

    offset_ns: int
    ppm: int

    def at(self, now: int) -> int:
        return self.offset_ns + now * self.ppm // 10**6


truths = st.builds(Truth, st.integers(-(2**50), 2**50), st.integers(-PHI_PPM, PHI_PPM))


@st.composite
def answers(draw: st.DrawFn, truth: Truth, lie: int = 0) -> list[Sample]:
    """Samples of a server whose clock is wrong by no more than it says, and by a lie."""
    root = draw(st.integers(0, 50 * MS))
    error = draw(st.integers(-root, root)) + lie
    ways = st.integers(0, 300 * MS)
    paths = draw(st.lists(st.tuples(st.integers(0, 10 * S), ways, ways), min_size=1, max_size=4))
    return [
        sample(truth.at(at + out) + error, out=out, back=back, at=at, root=root)
        for at, out, back in sorted(paths)
    ]


@dataclass(frozen=True)
class Scene:
    """A truth, honest servers, and fewer liars than those."""

    truth: Truth
    good: dict[str, list[Sample]]
    lies: dict[str, list[Sample]]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    truth = draw(truths)
    count = draw(st.integers(1, 5))
    liars = draw(st.integers(0, count - 1))
    return Scene(
        truth,
        {f"good{i}": draw(answers(truth)) for i in range(count)},
        {f"liar{i}": draw(answers(truth, draw(st.integers(-S, S)))) for i in range(liars)},
    )


@given(scenes())
def test_select_when_the_honest_are_a_majority_contains_the_truth(scene: Scene) -> None:
    selection = select(scene.lies | scene.good)
    estimate = selection.estimate
    assert estimate is not None
    for now in (estimate.measured_at, MonoNs(60 * S)):
        assert abs(estimate.offset_ns - scene.truth.at(now)) <= estimate.bound_at(now)
    assert set(scene.good) <= set(selection.survivors)
    assert set(selection.survivors) ^ set(selection.falsetickers) == set(scene.good | scene.lies)


@given(scenes(), st.sampled_from((-1, 1)))
def test_select_when_a_minority_is_far_off_drops_it(scene: Scene, side: int) -> None:
    far = {name: [sample(scene.truth.at(0) + side * 60 * S)] for name in scene.lies}
    selection = select(far | scene.good)
    assert set(selection.falsetickers) == set(far)
    assert set(selection.survivors) == set(scene.good)


def surest_of(servers: dict[str, list[Sample]]) -> list[OffsetEstimate]:
    """The f + 1 servers of least bound: one of them is honest."""
    each = [best(samples).estimate() for samples in servers.values()]
    now = MonoNs(max(one.measured_at for one in each))
    aged = [OffsetEstimate(one.offset_ns, one.bound_at(now), now) for one in each]
    return sorted(aged, key=lambda one: one.bound_ns)[: (len(each) + 1) // 2]


@given(scenes())
def test_select_stays_within_what_the_surest_servers_say(scene: Scene) -> None:
    everybody = scene.lies | scene.good
    estimate = select(everybody).estimate
    assert estimate is not None
    surest = surest_of(everybody)
    assert estimate.offset_ns <= max(one.offset_ns + one.bound_ns for one in surest)
    assert estimate.offset_ns >= min(one.offset_ns - one.bound_ns for one in surest)


@given(scenes())
def test_select_when_all_are_honest_is_nearly_as_sure_as_the_surest(scene: Scene) -> None:
    """An honest interval of half width b ends at most 2b from the truth, on either side."""
    estimate = select(scene.good).estimate
    assert estimate is not None
    assert estimate.bound_ns <= 4 * surest_of(scene.good)[-1].bound_ns


def test_select_when_there_is_nobody_says_nothing() -> None:
    assert select({}) == select({"silent": []}) == Selection(None, (), ())


def test_select_when_one_answers_takes_it_at_its_word() -> None:
    selection = select({"a": [sample(5 * S, root=3 * MS)], "silent": []})
    assert selection == Selection(
        OffsetEstimate(5 * S, MS + 30 + 3 * MS, MonoNs(2 * MS)), ("a",), ()
    )


def test_select_when_two_disagree_believes_nobody() -> None:
    assert select({"a": [sample(0)], "b": [sample(3_700 * MS)]}) == Selection(None, (), ("a", "b"))


def test_select_when_two_and_two_disagree_believes_nobody() -> None:
    two_and_two = {"a": [sample(0)], "b": [sample(9)], "c": [sample(S)], "d": [sample(S + 9)]}
    assert select(two_and_two).estimate is None


def test_select_when_one_of_four_is_false_names_it() -> None:
    selection = select(
        {
            "far": [sample(40, out=9 * MS, back=9 * MS)],
            "false": [sample(3_700 * MS)],
            "near": [sample(50)],
            "mid": [sample(60, out=2 * MS, back=2 * MS)],
        }
    )
    assert selection.survivors == ("near", "mid", "far")
    assert selection.falsetickers == ("false",)
    assert selection.estimate is not None
    assert selection.estimate.offset_ns == 50


def test_select_when_a_liar_overlaps_in_part_still_contains_the_truth() -> None:
    """What all three have in common, RFC 5905's choice, begins 0.9 ms after the truth, 0."""
    liar = sample(1_900_000)
    estimate = select({"liar": [liar], "a": [sample(0)], "b": [sample(0)]}).estimate
    assert estimate is not None
    assert abs(estimate.offset_ns) <= estimate.bound_ns
    assert (estimate.offset_ns, estimate.bound_ns) == (0, 1_000_030)


def test_select_when_no_survivor_is_inside_what_was_agreed_takes_its_middle() -> None:
    estimate = select({"a": [sample(0)], "b": [sample(1_800_000)]}).estimate
    assert estimate is not None
    assert (estimate.offset_ns, estimate.bound_ns) == (900_000, 100_030)


def test_best_when_delays_differ_takes_the_least() -> None:
    slow, fast = sample(0, out=9 * MS), sample(0, at=S)
    assert best([fast, slow]) is fast


def test_best_when_a_sample_is_old_counts_its_age() -> None:
    old, new = sample(0, at=0), sample(0, out=MS + 20, at=100 * S)
    assert best([old, new]) is new


def test_best_when_there_are_many_looks_at_the_newest_eight() -> None:
    old_and_fast = sample(0, out=0, back=0)
    later = [sample(0, at=i * MS) for i in range(1, FILTER_STAGES + 1)]
    assert best([old_and_fast, *later]) in later


def test_best_when_there_is_none_raises() -> None:
    with pytest.raises(ValueError, match="empty"):
        best([])

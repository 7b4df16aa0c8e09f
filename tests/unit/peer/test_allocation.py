"""How a NAT chooses ports, from what reflectors saw."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.allocation import Allocation, allocation
from peer.core.mapping import Observation
from rendezvous.protocol.endpoints import Endpoint

REFLECTOR = Endpoint("192.0.2.10", 8081)


def seen(local: Sequence[int], mapped: Sequence[int]) -> list[Observation]:
    return [
        Observation(n, Endpoint("10.1.0.2", own), REFLECTOR, Endpoint("198.51.100.2", public), None)
        for n, (own, public) in enumerate(zip(local, mapped, strict=True))
    ]


LOCAL = range(30_000, 30_008)


@pytest.mark.parametrize(
    ("mapped", "kind", "step"),
    [
        (LOCAL, Allocation.PRESERVED, None),
        ([*LOCAL[:-1], 1_024], Allocation.PARTLY, None),
        (range(20_000, 20_008), Allocation.SEQUENTIAL, 1),
        (range(20_000, 20_016, 2), Allocation.SEQUENTIAL, 2),
        ([1, 2, 3, 4, 6, 7, 8, 40_000], Allocation.SEQUENTIAL, 1),
        ([1_100, 9_000, 17_123, 22_000, 31_000, 44_000, 51_234, 60_001], Allocation.RANDOM, None),
        ([20_000, 20_001, 20_002] * 2 + [20_000] * 2, Allocation.UNKNOWN, None),
    ],
)
def test_allocation_when_ports_are_seen_is_named(
    mapped: Sequence[int], kind: Allocation, step: int | None
) -> None:
    assert allocation(seen(LOCAL, mapped)) == (kind, step)


def test_allocation_when_nothing_was_seen_is_unknown() -> None:
    assert allocation([]) == (Allocation.UNKNOWN, None)


@given(st.integers(1, 16), st.integers(1024, 60_000), st.randoms(use_true_random=False))
def test_allocation_when_ports_are_counted_up_does_not_depend_on_the_order(
    step: int, first: int, rng: random.Random
) -> None:
    mapped = list(range(first, first + 8 * step, step))
    rng.shuffle(mapped)
    local = [port + 1 for port in mapped]  # none is kept

    assert allocation(seen(local, mapped)) == (Allocation.SEQUENTIAL, step)


@given(st.sets(st.integers(1024, 65_535), min_size=8, max_size=8))
def test_allocation_when_ports_are_any_is_always_named(ports: set[int]) -> None:
    mapped = sorted(ports)
    gaps = [after - before for before, after in pairwise(mapped)]
    kind, step = allocation(seen([1] * 8, mapped))

    assert (kind is Allocation.SEQUENTIAL) == (step is not None)
    if min(gaps) > 16:
        assert kind is Allocation.RANDOM

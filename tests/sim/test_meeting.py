"""Two peers that know a secret and the time, and nothing else of each other: they meet.

Each goes from meeting to meeting as :mod:`peer.core.meeting` says, by its own clock.  They have met
when both fire at the same meeting at the same true time for long enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from peer.core.meeting import BUCKET_US, MAX_BOUND_US, BySecret, Meeting, Schedule
from peer.core.secret import Secret

S = 10**6
START_US = 1_795_184_070_000_000
ROUND_TRIP_US = S // 2
"""A long one; a connection takes one from the later peer's first SYN."""
RACE_US = 2 * S
READY_US = S // 10
starts = st.integers(0, 20 * S)
errors = st.integers(-MAX_BOUND_US, MAX_BOUND_US)
secrets = st.binary(min_size=16, max_size=16).map(Secret)


@dataclass(frozen=True)
class Firing:
    """A stretch of true time in which a peer fires at a meeting."""

    meeting: Meeting
    from_us: int
    to_us: int


def firings(schedule: Schedule, start_us: int, error_us: int) -> Iterator[Firing]:
    """Walk through a lone peer's meetings.

    Args:
        schedule: the peer's.
        start_us: the true time at which it is ready.
        error_us: its clock minus the true time.
    """
    now_us, last = start_us, None
    while (meeting := schedule.next(now_us + error_us, last)) is not None:
        begins = max(now_us, meeting.instant_us - error_us)
        ends = meeting.instant_us + meeting.lasts_us - error_us
        yield Firing(meeting, begins, ends)
        last, now_us = meeting, ends + RACE_US + READY_US


def together_us(one: Firing, other: Firing) -> int:
    return min(one.to_us, other.to_us) - max(one.from_us, other.from_us)


def met_after_us(one: Iterator[Firing], other: Iterator[Firing]) -> int:
    """Return when two peers have fired together at one meeting for a round trip."""
    a, b = next(one), next(other)
    while a.meeting.session != b.meeting.session or together_us(a, b) < ROUND_TRIP_US:
        if a.meeting.instant_us <= b.meeting.instant_us:
            a = next(one)
        else:
            b = next(other)
    return max(a.from_us, b.from_us)


@given(secrets, starts, errors, errors)
@settings(max_examples=500)
def test_peers_when_started_20_s_apart_with_clocks_a_second_wrong_meet(
    secret: Secret, apart_us: int, error_a: int, error_b: int
) -> None:
    later_us = START_US + apart_us
    a = firings(BySecret(secret), START_US, error_a)
    b = firings(BySecret(secret), later_us, error_b)

    # At worst the later one is just too late for a meeting, and the next is late in its bucket.
    assert met_after_us(a, b) - later_us < 2 * BUCKET_US


@given(secrets, secrets, starts, errors, errors)
@settings(max_examples=500)
def test_peers_when_their_secrets_differ_fire_at_the_open_port_together(
    secret_a: Secret, secret_b: Secret, apart_us: int, error_a: int, error_b: int
) -> None:
    # Half as wrong each: the instants of one bucket are up to 4 s apart, attempts last 5 s.
    a = firings(BySecret(secret_a), START_US, error_a // 4)
    b = firings(BySecret(secret_b), START_US + apart_us, error_b // 4)

    assert met_after_us(a, b) - START_US - apart_us < 3 * BUCKET_US


@given(secrets, starts, errors)
def test_peer_when_alone_never_has_two_meetings_at_once(
    secret: Secret, start_us: int, error_us: int
) -> None:
    walk = firings(BySecret(secret), START_US + start_us, error_us)
    seen = [next(walk) for _ in range(8)]

    for before, after in pairwise(seen):
        assert before.to_us + RACE_US < after.from_us
        assert after.meeting.instant_us // BUCKET_US == before.meeting.instant_us // BUCKET_US + 1

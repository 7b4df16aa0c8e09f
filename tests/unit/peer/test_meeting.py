"""Which meeting comes next, and what it consists of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.meeting import (
    BUCKET_US,
    FIRST_PORT,
    JOIN_US,
    LEAD_US,
    MINUTE_US,
    SECRET_PORTS,
    SPREAD_US,
    BySecret,
    ByTime,
    appointment,
    at_time,
    in_bucket,
    next_minutes,
)
from peer.core.secret import NO_SECRET, Secret
from rendezvous.protocol.endpoints import Family
from rendezvous.protocol.planner import DEADLINE_US, SYN_BUDGET

SECRET, OTHER = Secret(bytes(range(16))), Secret(b"o" * 16)
NOW_US = 1_795_184_070_000_000
S = 10**6
secrets = st.binary(min_size=16, max_size=16).map(Secret)
buckets = st.integers(0, 2**40)
times = st.integers(0, 2**52)


@given(buckets, secrets)
def test_bucket_when_derived_has_its_meeting_inside_and_time_to_get_ready_for_the_next(
    bucket: int, secret: Secret
) -> None:
    meeting = in_bucket(bucket, secret)
    start_us = bucket * BUCKET_US

    assert start_us <= meeting.instant_us < start_us + SPREAD_US
    assert meeting.lasts_us == DEADLINE_US[0]
    # The race goes on for up to 2 s after the last shot.
    assert meeting.instant_us + meeting.lasts_us + 2 * S < start_us + BUCKET_US


@given(buckets, secrets)
def test_bucket_when_derived_has_four_unlike_ports_that_no_kernel_hands_out(
    bucket: int, secret: Secret
) -> None:
    ports = in_bucket(bucket, secret).ports

    assert len(set(ports)) == 1 + SECRET_PORTS
    assert all(local == remote and FIRST_PORT <= local < 32_768 for local, remote in ports)


@given(buckets)
def test_buckets_when_secrets_differ_share_one_port_and_the_session_only(bucket: int) -> None:
    one, other = in_bucket(bucket, SECRET), in_bucket(bucket, OTHER)

    assert one.ports[0] == other.ports[0]
    assert one.session == other.session
    assert one.key != other.key
    assert one.ports[1:] != other.ports[1:]


@given(buckets)
def test_buckets_when_secrets_differ_are_fired_at_together_for_a_while(bucket: int) -> None:
    one, other = in_bucket(bucket, SECRET), in_bucket(bucket, OTHER)

    apart_us = abs(one.instant_us - other.instant_us)
    assert apart_us <= SPREAD_US <= one.lasts_us - S


@given(buckets)
def test_buckets_when_compared_have_unlike_sessions_keys_and_ports(bucket: int) -> None:
    one, next_one = in_bucket(bucket, SECRET), in_bucket(bucket + 1, SECRET)

    assert one.session != next_one.session
    assert one.key != next_one.key
    assert one.ports != next_one.ports


@given(times, secrets)
def test_by_secret_when_asked_gives_the_first_meeting_that_can_be_joined(
    now_us: int, secret: Secret
) -> None:
    meeting = BySecret(secret).next(now_us, None)
    before = in_bucket(meeting.instant_us // BUCKET_US - 1, secret) if now_us > BUCKET_US else None

    assert now_us < meeting.instant_us + JOIN_US
    if before is not None:
        assert before.instant_us + JOIN_US <= now_us or before.session == meeting.session


@given(times, secrets)
def test_by_secret_when_one_was_missed_gives_the_next_bucket(now_us: int, secret: Secret) -> None:
    schedule = BySecret(secret)
    missed = schedule.next(now_us, None)
    following = schedule.next(now_us, missed)

    assert following.instant_us // BUCKET_US == missed.instant_us // BUCKET_US + 1


@pytest.mark.parametrize(("now_us", "kept"), [(0, True), (JOIN_US - 1, True), (JOIN_US, False)])
def test_by_time_when_its_instant_has_passed_can_be_joined_for_a_while(
    now_us: int, kept: bool
) -> None:
    schedule = ByTime((NOW_US,), 1314, 1314)

    assert (schedule.next(NOW_US + now_us, None) is not None) == kept


def test_by_time_when_its_only_meeting_was_missed_has_no_other() -> None:
    schedule = ByTime((NOW_US,), 1314, 1314)
    meeting = schedule.next(NOW_US - S, None)

    assert meeting == at_time(NOW_US, 1314, 1314, NO_SECRET)
    assert schedule.next(NOW_US - S, meeting) is None


def test_by_time_when_there_are_two_instants_goes_to_both() -> None:
    schedule = ByTime((NOW_US, NOW_US + MINUTE_US), 1314, 1315, SECRET)
    first = schedule.next(NOW_US - S, None)
    second = schedule.next(NOW_US + 8 * S, first)

    assert second == at_time(NOW_US + MINUTE_US, 1314, 1315, SECRET)


def test_at_time_when_anything_differs_is_another_session() -> None:
    one = at_time(NOW_US, 1314, 1315, SECRET)

    assert one.session == at_time(NOW_US, 1315, 1314, OTHER).session
    assert one.session != at_time(NOW_US + 1, 1314, 1315, SECRET).session
    assert one.session != at_time(NOW_US, 1314, 1316, SECRET).session
    assert one.key != at_time(NOW_US, 1314, 1315, NO_SECRET).key


@given(times)
def test_next_minutes_when_asked_are_full_and_not_too_near(now_us: int) -> None:
    first, second = next_minutes(now_us)

    assert (first % MINUTE_US, second - first) == (0, MINUTE_US)
    assert LEAD_US <= first - now_us < MINUTE_US + LEAD_US


def test_appointment_when_written_numbers_pairs_alike_whatever_a_side_knows() -> None:
    meeting = in_bucket(1, SECRET)
    both: dict[Family, str] = {4: "192.0.2.1", 6: "2001:db8::1"}
    everything: list[tuple[Family, int]] = [(f, i) for f in both for i in range(4)]
    whole = appointment(meeting, both, everything)
    part = appointment(meeting, {6: "2001:db8::1"}, [(6, 3), (6, 1)])

    assert [pair.pair for pair in whole.pairs] == list(range(8))
    assert [pair.pair for pair in part.pairs] == [5, 7]
    assert set(part.pairs) <= set(whole.pairs)
    assert [pair.port_index for pair in part.pairs] == [1, 3]
    assert part.pairs[0].remote == f"[2001:db8::1]:{meeting.ports[1][1]}"


def test_appointment_when_written_has_the_planners_limits() -> None:
    plan = appointment(at_time(NOW_US, 1314, 1315, NO_SECRET), {4: "192.0.2.1"}, [(4, 0)])

    assert (plan.instant_us, plan.deadline_us) == (NOW_US, NOW_US + DEADLINE_US[-1])
    assert (plan.timescale, plan.syn_budget) == ("utc", SYN_BUDGET)
    assert [pair.remote for pair in plan.pairs] == ["192.0.2.1:1315"]

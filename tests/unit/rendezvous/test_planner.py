"""The plan: its invariants for any two reports, and the cases that have a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import (
    MAX_PAIRS,
    Appointment,
    Candidate,
    CandidateKind,
    Identity,
    MappingBehaviour,
    Offset,
    Reason,
    Report,
    Verdict,
)
from rendezvous.protocol.planner import MAX_LEAD_US, Plan, lead_us, plan
from tests.fakes.server import NOW_US, host, report, srflx

ADDRESSES = ["198.51.100.2", "203.0.113.2", "10.1.0.2", "2001:db8:a::2", "2001:db8:b::2"]
offsets = st.builds(
    Offset, offset_us=st.integers(-(10**12), 10**12), bound_us=st.integers(0, 10**6)
)
candidates = st.builds(
    Candidate,
    kind=st.sampled_from(CandidateKind),
    port_index=st.integers(0, MAX_PAIRS - 1),
    endpoint=st.builds(
        lambda address, port: str(Endpoint.of(address, port)),
        st.sampled_from(ADDRESSES),
        st.integers(1024, 65535),
    ),
)
reports = st.builds(
    Report,
    ntp=st.none() | offsets,
    rendezvous=offsets,
    rtt_us=st.integers(0, 10**6),
    jitter_us=st.integers(0, 10**5),
    prepare_us=st.integers(0, 10**5),
    mapping=st.sampled_from(MappingBehaviour),
    preserves_port=st.none() | st.booleans(),
    candidates=st.lists(candidates, max_size=20).map(tuple),
    previous=st.none(),
    identity=st.none()
    | st.integers(0, 9).map(lambda n: Identity(certificate=f"{n}" * 64, proof="f" * 64)),
)


@given(reports, reports, st.integers(1, 16))
def test_plan_always_is_two_sides_of_one_thing(a: Report, b: Report, attempt: int) -> None:
    agreed = plan(a, b, attempt, NOW_US)
    assert agreed == plan(a, b, attempt, NOW_US)
    if isinstance(agreed.a, Verdict):
        assert isinstance(agreed.b, Verdict)
        assert agreed.a.reason is agreed.b.reason
        mirror = {"you": "partner", "partner": "you", "both": "both"}
        assert agreed.b.who == mirror[agreed.a.who]
        return
    assert isinstance(agreed.b, Appointment)
    assert (agreed.a.role, agreed.b.role) == ("initiator", "responder")
    same = {"instant_us", "deadline_us", "timescale", "syn_budget", "attempt", "strategy"}
    assert agreed.a.model_dump(include=same) == agreed.b.model_dump(include=same)
    assert (agreed.a.partner, agreed.b.partner) == (b.identity, a.identity)
    assert agreed.a.deadline_us > agreed.a.instant_us
    endpoints_a = {(c.port_index, c.endpoint) for c in a.candidates}
    endpoints_b = {(c.port_index, c.endpoint) for c in b.candidates}
    for mine, theirs in zip(agreed.a.pairs, agreed.b.pairs, strict=True):
        assert (mine.pair, mine.port_index, mine.family) == (
            theirs.pair,
            theirs.port_index,
            theirs.family,
        )
        assert (mine.port_index, mine.remote) in endpoints_b
        assert (theirs.port_index, theirs.remote) in endpoints_a
        assert (mine.own, theirs.own) == (theirs.remote, mine.remote)
        assert Endpoint.parse(mine.remote).family == Endpoint.parse(theirs.remote).family
    # A port can carry one connect at a time, so each is used once in a family.
    ports = [(p.port_index, p.family) for p in agreed.a.pairs]
    assert len(set(ports)) == len(ports) <= MAX_PAIRS


@given(reports, reports)
def test_instant_lies_ahead_by_the_lead_on_the_clock_that_is_used(a: Report, b: Report) -> None:
    agreed = plan(a, b, 1, NOW_US)
    if not isinstance(agreed.a, Appointment):
        return
    ahead_us = NOW_US + lead_us(a, b)
    known = [(r, r.ntp) for r in (a, b) if r.ntp is not None]
    differences = [ntp.offset_us - r.rendezvous.offset_us for r, ntp in known]
    bounds_us = sum(ntp.bound_us + r.rendezvous.bound_us for r, ntp in known)
    agree = len(known) == 2 and abs(differences[0] - differences[1]) <= bounds_us
    assert agreed.a.timescale == ("utc" if agree else "rendezvous")
    if agree:
        assert agreed.a.instant_us - ahead_us in differences
    else:
        assert agreed.a.instant_us == ahead_us


def test_timescale_is_the_rendezvous_when_two_ntps_disagree() -> None:
    a = report(
        srflx("198.51.100.2:30000"),
        ntp=Offset(offset_us=5_000_000, bound_us=10_000),
        rendezvous=Offset(offset_us=0, bound_us=20_000),
    )
    b = report(
        srflx("203.0.113.2:30000"),
        ntp=Offset(offset_us=0, bound_us=12_000),
        rendezvous=Offset(offset_us=0, bound_us=20_000),
    )
    agreed = plan(a, b, 1, NOW_US).a
    assert isinstance(agreed, Appointment)
    assert agreed.timescale == "rendezvous"
    assert agreed.instant_us == NOW_US + lead_us(a, b)


def test_lead_is_bounded_whatever_a_report_says() -> None:
    a = report(srflx("198.51.100.2:30000"), rtt_us=10_000_000)
    assert lead_us(a, a) == MAX_LEAD_US


def test_verdict_for_ports_that_do_not_pair_is_not_about_families() -> None:
    a = report(srflx("198.51.100.2:30000", port_index=0))
    b = report(srflx("203.0.113.2:30001", port_index=1))
    agreed = plan(a, b, 1, NOW_US).a
    assert isinstance(agreed, Verdict)
    assert agreed.reason is Reason.NO_CANDIDATES


def remotes(agreed: Plan) -> list[str]:
    assert isinstance(agreed.a, Appointment)
    return [pair.remote for pair in agreed.a.pairs]


def test_instant_is_utc_though_the_server_is_an_hour_off() -> None:
    hour_us = 3_600_000_000
    slow = Offset(offset_us=-hour_us, bound_us=20_000)
    a = report(srflx("198.51.100.2:30000"), rendezvous=slow)
    b = report(srflx("203.0.113.2:30000"), rendezvous=slow)
    agreed = plan(a, b, 1, NOW_US - hour_us).a
    assert isinstance(agreed, Appointment)
    assert agreed.timescale == "utc"
    assert agreed.instant_us == NOW_US + lead_us(a, b)


def test_lead_covers_the_slower_peer_and_one_more_poll() -> None:
    near = report(rtt_us=2_000, jitter_us=100, prepare_us=5_000)
    far = report(rtt_us=80_000, jitter_us=3_000, prepare_us=2_000)
    assert lead_us(near, far) == 80_000 + 4 * 3_000 + 80_000 + 5_000


def test_private_candidates_are_used_behind_one_address_only() -> None:
    a = report(srflx("198.51.100.2:30000"), host("10.1.0.2:30000"))
    near = report(srflx("198.51.100.2:40000"), host("10.1.0.3:30000"))
    far = report(srflx("203.0.113.2:30000"), host("10.1.0.3:30000"))
    assert remotes(plan(a, near, 1, NOW_US)) == ["10.1.0.3:30000"]
    assert remotes(plan(a, far, 1, NOW_US)) == ["203.0.113.2:30000"]


def test_unpredictable_mapping_leaves_the_pairs_of_ipv6() -> None:
    a = report(srflx("198.51.100.2:30000"), srflx("[2001:db8:a::2]:30000"))
    b = report(
        srflx("203.0.113.2:30000"),
        srflx("[2001:db8:b::2]:30000"),
        mapping=MappingBehaviour.ADDRESS_AND_PORT_DEPENDENT,
    )
    assert remotes(plan(a, b, 1, NOW_US)) == ["[2001:db8:b::2]:30000"]


@pytest.mark.parametrize(
    ("a", "b", "reason", "who_a"),
    [
        (report(), report(srflx("203.0.113.2:3000")), Reason.NO_CANDIDATES, "you"),
        (report(), report(), Reason.NO_CANDIDATES, "both"),
        (
            report(srflx("203.0.113.2:3000")),
            report(srflx("[2001:db8::2]:3000")),
            Reason.NO_COMMON_FAMILY,
            "both",
        ),
        (
            report(srflx("203.0.113.2:3000")),
            report(srflx("198.51.100.2:3000"), mapping=MappingBehaviour.ADDRESS_AND_PORT_DEPENDENT),
            Reason.MAPPING_UNPREDICTABLE,
            "partner",
        ),
    ],
)
def test_verdict_names_who_it_is(a: Report, b: Report, reason: Reason, who_a: str) -> None:
    agreed = plan(a, b, 1, NOW_US)
    assert agreed.a == Verdict(reason=reason, who=who_a)  # type: ignore[arg-type]

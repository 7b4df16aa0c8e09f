"""The digest of an appointment: one for both copies, another for any other plan."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from peer.core.binding import BindingError, digest
from rendezvous.protocol.messages import Appointment, Identity, Pair
from rendezvous.protocol.planner import Plan, plan
from tests.fakes.server import NOW_US, report, srflx

SESSION = bytes(range(16))
ports = st.lists(st.integers(1024, 65535), min_size=4, max_size=4, unique=True)
instants = st.integers(NOW_US - 10**12, NOW_US + 10**12)


def agree(ports_a: list[int], ports_b: list[int], *, attempt: int = 1, now_us: int) -> Plan:
    def ends(address: str, numbers: list[int]) -> Any:
        return report(*(srflx(f"{address}:{n}", port_index=i) for i, n in enumerate(numbers)))

    return plan(ends("198.51.100.2", ports_a), ends("203.0.113.2", ports_b), attempt, now_us)


def planned(ports_a: list[int], ports_b: list[int], **more: Any) -> tuple[Appointment, Appointment]:
    agreed = agree(ports_a, ports_b, **more)
    assert isinstance(agreed.a, Appointment)
    assert isinstance(agreed.b, Appointment)
    return agreed.a, agreed.b


@given(ports, ports, st.integers(1, 16), instants)
def test_digest_of_the_two_copies_of_a_plan_is_one(
    ports_a: list[int], ports_b: list[int], attempt: int, now_us: int
) -> None:
    a, b = planned(ports_a, ports_b, attempt=attempt, now_us=now_us)
    assert digest(SESSION, a) == digest(SESSION, b)
    assert len(digest(SESSION, a)) == hashlib.sha256().digest_size


CHANGES: dict[str, Any] = {
    "attempt": 2,
    "role": "responder",
    "timescale": "rendezvous",
    "instant_us": NOW_US + 1,
    "deadline_us": NOW_US + 2,
    "syn_budget": 1,
}
PAIR_CHANGES: dict[str, Any] = {
    "pair": 15,
    "port_index": 14,
    "family": 6,
    "remote": "203.0.113.3:20000",
    "own": "198.51.100.3:20000",
}
FIXED = {"strategy", "crossing"}
"""Of these the contract knows one value only."""
A, B = planned([20000, 20001, 20002, 20003], [30000, 30001, 30002, 30003], now_us=NOW_US)


def test_changes_when_listed_are_of_every_field() -> None:
    assert set(CHANGES) | FIXED | {"pairs", "partner"} == set(Appointment.model_fields)
    assert set(PAIR_CHANGES) == set(Pair.model_fields)


@pytest.mark.parametrize("field", CHANGES)
def test_digest_when_a_field_of_one_copy_is_changed_is_another(field: str) -> None:
    assert getattr(A, field) != CHANGES[field]
    changed = A.model_copy(update={field: CHANGES[field]})
    assert digest(SESSION, changed) != digest(SESSION, B)


@given(st.sampled_from(sorted(PAIR_CHANGES)), st.integers(0, 3))
def test_digest_when_a_pair_of_one_copy_is_changed_is_another(field: str, at: int) -> None:
    pairs = list(A.pairs)
    pairs[at] = pairs[at].model_copy(update={field: PAIR_CHANGES[field]})
    changed = A.model_copy(update={"pairs": tuple(pairs)})
    assert digest(SESSION, changed) != digest(SESSION, B)


@given(st.permutations(range(4)), st.integers(1, 4))
def test_digest_when_pairs_are_missing_or_in_another_order_is_another(
    order: list[int], count: int
) -> None:
    kept = tuple(A.pairs[i] for i in order[:count])
    assume(kept != A.pairs)
    assert digest(SESSION, A.model_copy(update={"pairs": kept})) != digest(SESSION, B)


def test_digest_in_another_session_is_another() -> None:
    assert digest(SESSION, A) != digest(bytes(16), A)


def test_digest_is_the_plans_whatever_the_certificates_are() -> None:
    partner = Identity(certificate="c" * 64, proof="d" * 64)
    assert digest(SESSION, A.model_copy(update={"partner": partner})) == digest(SESSION, B)


def test_digest_of_an_appointment_that_hides_the_own_endpoint_is_refused() -> None:
    pairs = (A.pairs[0].model_copy(update={"own": None}),)
    with pytest.raises(BindingError, match="where the partner fires"):
        digest(SESSION, A.model_copy(update={"pairs": pairs}))


def test_digest_of_one_plan_never_changes() -> None:
    expected = hashlib.sha256(
        b'midair/1 appointment{"attempt":1,"crossing":"unknown","deadline_us":6,"instant_us":5,'
        b'"pairs":[{"family":4,"initiator":"198.51.100.2:20000","pair":0,"port_index":0,'
        b'"responder":"203.0.113.2:30000"}],"session":"000102030405060708090a0b0c0d0e0f",'
        b'"strategy":"paired","syn_budget":5000,"timescale":"utc"}'
    ).digest()
    one = A.model_copy(update={"instant_us": 5, "deadline_us": 6, "pairs": A.pairs[:1]})
    assert digest(SESSION, one) == expected

"""The contract's types: wrong types refused, unknown keys ignored, endpoints canonical."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rendezvous.protocol.endpoints import Endpoint, EndpointError, split_host_port
from rendezvous.protocol.errors import STATUS, Problem, ProblemWord
from rendezvous.protocol.messages import (
    MAX_MEASURED_US,
    Candidate,
    Offset,
    TimeResponse,
    WaitRequest,
)
from rendezvous.protocol.times import bound_us_from_ns, ns_from_us, us_from_ns
from tests.fakes.server import report, srflx

WAIT: dict[str, Any] = {
    "version": 1,
    "session": "0" * 32,
    "seat": "a",
    "secret": "0" * 64,
    "wait_us": 25_000_000,
}


def test_unknown_keys_are_ignored() -> None:
    assert WaitRequest(**WAIT, new=1) == WaitRequest(**WAIT)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", "1"),
        ("version", 1.0),
        ("version", True),
        ("wait_us", "5"),
        ("wait_us", 5.0),
        ("wait_us", -1),
        ("wait_us", 25_000_001),
        ("session", "0" * 31),
        ("session", "F" * 32),
        ("session", "0" * 32 + "\n"),
        ("seat", "c"),
        ("secret", "0" * 63),
    ],
)
def test_wrong_value_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        WaitRequest.model_validate(WAIT | {key: value})


def test_bound_is_never_negative() -> None:
    with pytest.raises(ValidationError):
        Offset(offset_us=0, bound_us=-1)


@pytest.mark.parametrize("offset_us", [-(2**53) + 1, 2**53 - 1, 101 * 366 * 86_400 * 10**6])
def test_offset_of_more_than_a_century_is_refused(offset_us: int) -> None:
    with pytest.raises(ValidationError):
        Offset(offset_us=offset_us, bound_us=0)


@pytest.mark.parametrize("field", ["rtt_us", "jitter_us", "prepare_us"])
def test_measurement_of_more_than_ten_seconds_is_refused(field: str) -> None:
    report(**{field: MAX_MEASURED_US})
    with pytest.raises(ValidationError):
        report(**{field: MAX_MEASURED_US + 1})


def test_report_with_more_candidates_than_ports_can_have_is_refused() -> None:
    crowd = [srflx(f"198.51.100.2:{port}") for port in range(3000, 3033)]
    assert len(report(*crowd[:32]).candidates) == 32
    with pytest.raises(ValidationError):
        report(*crowd)


def test_endpoint_of_a_candidate_becomes_canonical() -> None:
    candidate = Candidate.model_validate(
        {"kind": "host", "port_index": 0, "endpoint": "[2001:DB8:0:0::1]:0080"}
    )
    assert candidate.endpoint == "[2001:db8::1]:80"


@given(st.ip_addresses(), st.integers(1, 65535))
def test_endpoint_text_round_trips(address: object, port: int) -> None:
    endpoint = Endpoint.of(str(address), port)
    assert Endpoint.parse(str(endpoint)) == endpoint


@given(st.text())
def test_endpoint_of_any_text_raises_only_its_error(text: str) -> None:
    for parse in (Endpoint.parse, split_host_port):
        try:
            parse(text)
        except EndpointError:
            continue


@given(st.integers(-(2**62), 2**62))
def test_microseconds_round_trip_through_nanoseconds(value_us: int) -> None:
    assert us_from_ns(ns_from_us(value_us)) == value_us


@given(st.integers(0, 2**62))
def test_bound_never_shrinks(bound_ns: int) -> None:
    assert 0 <= bound_us_from_ns(bound_ns) * 1000 - bound_ns < 1000


def test_every_problem_has_a_status_and_reads_back() -> None:
    assert set(STATUS) == set(ProblemWord)
    for word, status in STATUS.items():
        problem = Problem(type=f"urn:midair:problem:{word}", title="", status=status)
        assert problem.word is word
    assert Problem(type="about:blank", title="", status=405).word is None


def test_instants_fit_a_double() -> None:
    with pytest.raises(ValidationError):
        TimeResponse(version=1, received_us=2**53, sent_us=0)

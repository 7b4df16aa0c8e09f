"""What a NAT's answers to ten questions say about it, for NATs simulated by their definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.mapping import Observation, classify, enough, summarise
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import CandidateKind, MappingBehaviour
from tests.fakes.server import host

TWO_PORTS = (Endpoint("192.0.2.10", 8081), Endpoint("192.0.2.10", 8082))
TWO_ADDRESSES = (Endpoint("192.0.2.10", 8081), Endpoint("192.0.2.11", 8081))
PUBLIC = "198.51.100.2"
Nat = Callable[[Endpoint, Endpoint], Endpoint]
"""From the local and the remote endpoint to the mapped one."""


def preserving(local: Endpoint, _: Endpoint) -> Endpoint:
    return Endpoint(PUBLIC, local.port)


def remapped(local: Endpoint, _: Endpoint) -> Endpoint:
    return Endpoint(PUBLIC, 20_000 + local.port % 1_000)


def by_address(local: Endpoint, remote: Endpoint) -> Endpoint:
    return Endpoint(PUBLIC, 20_000 + 10 * int(remote.ip) % 1_000 + local.port % 10)


class Sequential:
    """The next port for each flow."""

    def __init__(self) -> None:
        self.port = 20_000

    def __call__(self, local: Endpoint, remote: Endpoint) -> Endpoint:
        self.port += 1
        return Endpoint(PUBLIC, self.port)


def ask(
    nat: Nat, reflectors: Sequence[Endpoint], ports: int = 4, token: str | None = "t"
) -> list[Observation]:
    locals_ = [Endpoint("10.1.0.2", 12_000 + 7 * index) for index in range(ports)]
    return [
        Observation(index, local, reflector, nat(local, reflector), token)
        for index, local in enumerate(locals_)
        for reflector in reflectors
    ]


EI = MappingBehaviour.ENDPOINT_INDEPENDENT
AD = MappingBehaviour.ADDRESS_DEPENDENT
APD = MappingBehaviour.ADDRESS_AND_PORT_DEPENDENT


@pytest.mark.parametrize(
    ("nat", "reflectors", "behaviour"),
    [
        (preserving, TWO_PORTS, EI),
        (preserving, TWO_ADDRESSES, EI),
        (remapped, TWO_PORTS, EI),
        (by_address, TWO_ADDRESSES, AD),
        # With one address only, nobody can tell this from endpoint-independent.
        (by_address, TWO_PORTS, EI),
        (Sequential(), TWO_PORTS, APD),
        # With one port for each address, nobody can tell what of the two it was.
        (Sequential(), TWO_ADDRESSES, AD),
        (preserving, TWO_PORTS[:1], MappingBehaviour.UNKNOWN),
    ],
)
def test_classify_when_a_nat_is_asked_names_it(
    nat: Nat, reflectors: Sequence[Endpoint], behaviour: MappingBehaviour
) -> None:
    assert classify(ask(nat, reflectors)) is behaviour


@given(st.data())
def test_classify_when_answers_are_lost_names_it_or_says_unknown(data: st.DataObject) -> None:
    moves = data.draw(st.booleans())
    nat, truth = (Sequential(), APD) if moves else (preserving, EI)
    answers = data.draw(st.permutations(ask(nat, TWO_PORTS)))
    seen = answers[: data.draw(st.integers(0, len(answers)))]

    assert classify(seen) in {truth, MappingBehaviour.UNKNOWN}


@given(st.lists(st.integers(1024, 65_535), min_size=2, max_size=8))
def test_classify_when_each_flow_draws_a_port_finds_any_difference(ports: list[int]) -> None:
    draw = iter([*ports, *ports])
    answers = ask(lambda *_: Endpoint(PUBLIC, next(draw)), TWO_PORTS, ports=len(ports) // 2)
    differs = any(
        one.mapped != two.mapped for one, two in zip(answers[::2], answers[1::2], strict=True)
    )

    assert classify(answers) is (APD if differs else EI)


def test_classify_when_one_port_differs_calls_the_whole_nat_so() -> None:
    answers = ask(preserving, TWO_PORTS)
    last = answers[-1]
    moved = Endpoint(PUBLIC, 1_024)
    answers[-1] = Observation(last.port_index, last.local, last.reflector, moved, last.token)

    assert classify(answers) is APD


def test_summarise_when_seen_twice_reports_each_port_once_before_the_hosts() -> None:
    own = host("10.1.0.2:12000")
    mapping = summarise(ask(remapped, TWO_PORTS, ports=2), [own])

    assert [c.endpoint for c in mapping.candidates] == [
        "198.51.100.2:20000",
        "198.51.100.2:20007",
        "10.1.0.2:12000",
    ]
    assert [c.kind for c in mapping.candidates][-2:] == [CandidateKind.SRFLX, CandidateKind.HOST]
    assert (mapping.behaviour, mapping.preserves_port) == (EI, False)


def test_summarise_when_no_token_was_given_names_no_srflx_candidate() -> None:
    mapping = summarise(ask(preserving, TWO_PORTS, token=None), [])

    assert mapping.candidates == ()
    assert (mapping.behaviour, mapping.preserves_port) == (EI, True)


def test_summarise_when_both_families_are_there_describes_the_ipv4_nat() -> None:
    six = [Endpoint("2001:db8:5::10", 8081), Endpoint("2001:db8:5::10", 8082)]
    local = Endpoint("2001:db8:a1::2", 12_000)
    both = [*(Observation(0, local, r, local, "t") for r in six), *ask(Sequential(), TWO_PORTS, 1)]
    mapping = summarise(both, [])

    assert mapping.behaviour is APD
    assert {c.endpoint.count(":") > 1 for c in mapping.candidates} == {True, False}


def test_summarise_when_only_ipv6_is_there_describes_that() -> None:
    local = Endpoint("2001:db8:a1::2", 12_000)
    six = [Endpoint("2001:db8:5::10", 8081), Endpoint("2001:db8:5::10", 8082)]
    mapping = summarise([Observation(0, local, r, local, "t") for r in six], [])

    assert (mapping.behaviour, mapping.preserves_port) == (EI, True)


def test_summarise_when_nothing_was_seen_knows_nothing() -> None:
    mapping = summarise([], [])

    assert (mapping.behaviour, mapping.preserves_port, mapping.candidates) == (
        MappingBehaviour.UNKNOWN,
        None,
        (),
    )


def test_enough_when_counted_wants_one_port_seen_by_two_with_a_token() -> None:
    answers = ask(preserving, TWO_PORTS, ports=2)

    assert not enough([], 2)
    assert not enough([answers[0], answers[2]], 2)
    assert enough(answers[:2], 2)
    assert enough(answers[:1], 1)
    assert not enough(ask(preserving, TWO_PORTS, token=None), 2)

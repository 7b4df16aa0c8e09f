"""Which candidates a stranger may be told of."""

from __future__ import annotations

import pytest

from rendezvous.candidates import vet
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import Candidate
from rendezvous.refusal import Refused
from tests.fakes.server import host, report, srflx


def kept(*candidates: Candidate) -> tuple[Candidate, ...]:
    def proves(token: str, _: Endpoint) -> bool:
        return token == "good"

    return vet(report(*candidates), proves).candidates


@pytest.mark.parametrize(
    "endpoint",
    [
        "10.1.0.2:30000",
        "172.31.0.2:1024",
        "192.168.1.2:65535",
        "100.64.0.2:30000",
        "[fd00::2]:30000",
    ],
)
def test_private_host_without_a_token_is_kept_beside_a_mapped_one(endpoint: str) -> None:
    mapped = srflx("[2001:db8::2]:3000" if "[" in endpoint else "198.51.100.2:3000", token="good")
    assert kept(mapped, host(endpoint)) == (mapped, host(endpoint))


@pytest.mark.parametrize("mapped", ["198.51.100.2:3000", "[2001:db8::2]:3000"])
def test_host_beside_no_mapped_one_of_its_port_and_family_is_dropped(mapped: str) -> None:
    seen = srflx(mapped, token="good")
    strangers = [host("10.1.0.2:30000", port_index=1), host("[fd00::2]:30000", port_index=1)]
    other = host("[fd00::2]:3000" if "." in mapped else "10.1.0.2:3000")
    assert kept(seen, *strangers, other) == (seen,)
    assert kept(*strangers) == ()


@pytest.mark.parametrize(
    "endpoint",
    [
        "198.51.100.2:30000",
        "[2001:db8::2]:30000",
        "127.0.0.1:30000",
        "[::1]:30000",
        "100.128.0.2:30000",
        "169.254.0.2:30000",
        "[fe80::2]:30000",
        "10.1.0.2:1023",
    ],
)
def test_other_host_without_a_token_is_dropped(endpoint: str) -> None:
    beside = srflx("198.51.100.2:3000", token="good"), srflx("[2001:db8::2]:3000", token="good")
    assert kept(*beside, host(endpoint)) == beside


def test_mapped_endpoint_without_a_token_is_dropped() -> None:
    assert kept(srflx("198.51.100.2:30000"), srflx("10.1.0.2:30000")) == ()


@pytest.mark.parametrize(
    "endpoint", ["198.51.100.2:30000", "10.1.0.2:30000", "127.0.0.1:30000", "[2001:db8::2]:1024"]
)
def test_proven_endpoint_is_kept(endpoint: str) -> None:
    assert len(kept(srflx(endpoint, token="good"), host(endpoint, token="good"))) == 2


@pytest.mark.parametrize(
    "endpoint",
    [
        "198.51.100.2:1023",
        "0.0.0.0:30000",
        "0.1.2.3:30000",
        "[::10.1.0.2]:30000",
        "[64:ff9b::c000:201]:30000",
        "[::]:30000",
        "224.0.0.1:30000",
        "[ff02::1]:30000",
        "255.255.255.255:30000",
        "240.0.0.1:30000",
        "169.254.0.2:30000",
        "[fe80::2]:30000",
    ],
)
def test_endpoint_that_is_no_target_is_dropped_whatever_proves_it(endpoint: str) -> None:
    assert kept(srflx(endpoint, token="good")) == ()


def test_token_that_proves_nothing_is_stale() -> None:
    for candidate in (srflx, host):
        with pytest.raises(Refused) as refused:
            kept(candidate("198.51.100.2:30000", token="old"))
        assert refused.value.word is ProblemWord.STALE_TOKEN

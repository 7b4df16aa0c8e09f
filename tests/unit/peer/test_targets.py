"""Which targets a peer refuses, whoever appoints them."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from peer.core.targets import refusal
from rendezvous.protocol.endpoints import Endpoint

OWN = (ip_network("10.1.0.0/24"), ip_network("fd00:1::/64"), ip_network("198.51.100.0/24"))


@pytest.mark.parametrize(
    "target",
    [
        "203.0.113.2:1024",
        "198.51.100.7:65535",
        "[2001:db8:b::2]:30000",
        "10.1.0.9:30000",
        "[fd00:1::9]:30000",
    ],
)
def test_refusal_when_public_or_a_neighbour_is_none(target: str) -> None:
    assert refusal(Endpoint.parse(target), OWN, on_one_host=False) is None


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("203.0.113.2:1023", "port 1023 is below 1024"),
        ("203.0.113.2:22", "port 22 is below 1024"),
        ("224.0.0.1:30000", "no host's address"),
        ("[ff02::1]:30000", "no host's address"),
        ("0.0.0.0:30000", "no host's address"),
        ("[::]:30000", "no host's address"),
        ("255.255.255.255:30000", "no host's address"),
        ("127.0.0.1:30000", "this host itself"),
        ("127.9.9.9:30000", "this host itself"),
        ("[::1]:30000", "this host itself"),
        ("[::ffff:127.0.0.1]:30000", "this host itself"),
        ("10.2.0.9:30000", "private and not in a network"),
        ("192.168.1.1:30000", "private and not in a network"),
        ("100.64.0.1:30000", "private and not in a network"),
        ("0.1.2.3:30000", "no host's address"),
        ("240.0.0.1:30000", "no host's address"),
        ("[64:ff9b::a00:1]:30000", "no host's address"),
        ("172.31.0.1:30000", "private and not in a network"),
        ("169.254.1.1:30000", "no host's address"),
        ("[fd00:2::1]:30000", "private and not in a network"),
        ("[fe80::1]:30000", "no host's address"),
        ("[::198.51.100.7]:30000", "no host's address"),
    ],
)
def test_refusal_when_somebody_could_be_harmed_says_why(target: str, words: str) -> None:
    assert words in (refusal(Endpoint.parse(target), OWN, on_one_host=False) or "")


def test_refusal_when_all_is_on_one_host_lets_loopback_pass_and_nothing_else() -> None:
    assert refusal(Endpoint.parse("127.0.0.1:30000"), (), on_one_host=True) is None
    assert refusal(Endpoint.parse("127.0.0.1:80"), (), on_one_host=True) is not None
    assert refusal(Endpoint.parse("10.2.0.9:30000"), (), on_one_host=True) is not None


def test_refusal_when_link_local_holds_on_that_link_too() -> None:
    own = (ip_network("169.254.0.0/16"), ip_network("fe80::/64"))

    for target in ("169.254.169.254:8080", "[fe80::1]:30000"):
        assert refusal(Endpoint.parse(target), own, on_one_host=True) is not None


def test_refusal_when_it_is_this_peer_itself_says_so() -> None:
    own = [Endpoint.parse("198.51.100.2:30000"), Endpoint.parse("127.0.0.1:30000")]

    assert refusal(own[1], OWN, on_one_host=True, own=own) == "that is this peer itself"
    # The other port of the same NAT is perhaps the partner's.
    assert refusal(Endpoint.parse("198.51.100.2:30001"), OWN, on_one_host=False, own=own) is None

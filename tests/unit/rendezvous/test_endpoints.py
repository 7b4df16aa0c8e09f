"""What kind of address an endpoint has."""

from __future__ import annotations

import pytest

from rendezvous.protocol.endpoints import is_private, is_unusable


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("10.255.0.1", True),
        ("172.15.0.1", False),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.1.1", True),
        ("100.63.255.255", False),
        ("100.64.0.1", True),
        ("100.127.255.255", True),
        ("100.128.0.0", False),
        ("169.254.1.1", True),
        ("127.0.0.1", False),
        ("192.0.2.1", False),
        ("fd00::1", True),
        ("fe80::1%eth0", True),
        ("2001:db8::1", False),
    ],
)
def test_is_private_counts_networks_of_ones_own_and_no_documentation(
    address: str, private: bool
) -> None:
    assert is_private(address) is private


@pytest.mark.parametrize(
    ("address", "unusable"),
    [
        ("0.0.0.0", True),
        ("0.1.2.3", True),
        ("223.255.255.255", False),
        ("224.0.0.1", True),
        ("240.0.0.1", True),
        ("255.255.255.255", True),
        ("169.254.169.254", True),
        ("::", True),
        ("::1", False),
        ("127.0.0.1", False),
        ("::10.0.0.1", True),
        ("::ffff:198.51.100.1", True),
        ("64:ff9b::a00:1", True),
        ("64:ff9b:1::1", False),
        ("fe80::1%eth0", True),
        ("ff02::1", True),
        ("2001:db8::1", False),
        ("198.51.100.1", False),
    ],
)
def test_is_unusable_when_nobody_may_be_fired_at(address: str, unusable: bool) -> None:
    assert is_unusable(address) is unusable

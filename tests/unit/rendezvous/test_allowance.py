"""Token buckets, one a client address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous import allowance
from rendezvous.allowance import Allowance, Allowances, client_key
from rendezvous.refusal import Refused
from tests.fakes.server import NOW_US


@given(
    burst=st.integers(1, 5),
    refill_us=st.integers(1, 1000),
    gaps_us=st.lists(st.integers(0, 3000), max_size=40),
)
def test_bucket_never_gives_more_than_burst_and_refill(
    burst: int, refill_us: int, gaps_us: list[int]
) -> None:
    buckets = Allowances(Allowance(burst, refill_us), "things")
    now_us, given_tokens = NOW_US, 0
    for gap_us in gaps_us:
        now_us += gap_us
        try:
            buckets.spend("x", now_us)
            given_tokens += 1
        except Refused as refused:
            wait_us = refused.retry_after_us
            assert wait_us is not None
            assert 0 < wait_us <= refill_us
            buckets.check("x", now_us + wait_us)
    assert given_tokens <= burst + (now_us - NOW_US) // refill_us


def test_bucket_of_a_quiet_address_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "MAX_BUCKETS", 2)
    buckets = Allowances(Allowance(1, 10**9), "things")
    for client in ("quiet", "x", "y"):
        buckets.spend(client, NOW_US)
    buckets.check("quiet", NOW_US)
    with pytest.raises(Refused):
        buckets.check("x", NOW_US)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_client_key(address: str, key: str) -> None:
    assert client_key(address) == key

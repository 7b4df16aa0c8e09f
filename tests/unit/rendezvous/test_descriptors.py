"""How the descriptors are shared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rendezvous.descriptors import RESERVE, Share, share


def test_share_halves_what_the_reserve_leaves() -> None:
    assert share(1024) == Share(http=464, reflector=464)


def test_share_with_a_wish_gives_the_rest_to_http() -> None:
    assert share(1024, 10) == Share(http=918, reflector=10)


def test_share_gives_the_relay_what_it_wants_up_to_a_quarter() -> None:
    assert share(1024, None, 100) == Share(http=414, reflector=414, relay=100)
    assert share(1024, None, 1000) == Share(http=348, reflector=348, relay=232)


@given(st.integers(0, 10**6), st.none() | st.integers(1, 10**7), st.integers(0, 10**6))
def test_share_never_exceeds_the_limit_and_starves_nobody(
    limit: int, wish: int | None, relay: int
) -> None:
    shares = share(limit, wish, relay)
    assert min(shares.http, shares.reflector) >= 1
    assert shares.http + shares.reflector + shares.relay <= max(limit - RESERVE, 2)

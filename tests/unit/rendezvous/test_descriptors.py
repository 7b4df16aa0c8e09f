"""How the descriptors are shared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rendezvous.descriptors import RESERVE, Share, share


def test_share_halves_what_the_reserve_leaves() -> None:
    assert share(1024) == Share(http=464, reflector=464)


def test_share_with_a_wish_gives_the_rest_to_http() -> None:
    assert share(1024, 10) == Share(http=918, reflector=10)


@given(st.integers(0, 10**6), st.none() | st.integers(1, 10**7))
def test_share_never_exceeds_the_limit_and_starves_nobody(limit: int, wish: int | None) -> None:
    shares = share(limit, wish)
    assert min(shares.http, shares.reflector) >= 1
    assert shares.http + shares.reflector <= max(limit - RESERVE, 2)

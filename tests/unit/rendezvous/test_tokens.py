"""Address tokens prove exactly what they were minted for, for a minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.protocol.endpoints import Endpoint
from rendezvous.tokens import TOKEN_LIFE_US, Tokens
from tests.fakes.server import NOW_US

SEEN = Endpoint("198.51.100.2", 30000)
SESSION = "0" * 32
tokens = Tokens(b"k" * 32)
TOKEN = tokens.mint(SEEN, SESSION, NOW_US)


def test_proves_until_the_last_microsecond_then_not() -> None:
    assert tokens.proves(TOKEN, SEEN, SESSION, NOW_US)
    assert tokens.proves(TOKEN, SEEN, SESSION, NOW_US + TOKEN_LIFE_US)
    assert not tokens.proves(TOKEN, SEEN, SESSION, NOW_US + TOKEN_LIFE_US + 1)


@pytest.mark.parametrize(
    ("endpoint", "session"),
    [
        (Endpoint("198.51.100.3", 30000), SESSION),
        (Endpoint("198.51.100.2", 30001), SESSION),
        (SEEN, "1" * 32),
    ],
)
def test_proves_when_claim_differs_no(endpoint: Endpoint, session: str) -> None:
    assert not tokens.proves(TOKEN, endpoint, session, NOW_US)


def test_proves_when_key_is_another_no_when_shared_yes() -> None:
    assert not Tokens().proves(TOKEN, SEEN, SESSION, NOW_US)
    assert Tokens(b"k" * 32).proves(TOKEN, SEEN, SESSION, NOW_US)


def test_proves_when_expiry_is_pushed_back_no() -> None:
    expiry, _, mac = TOKEN.partition(".")
    later = f"{int(expiry, 16) + TOKEN_LIFE_US:x}.{mac}"
    assert not tokens.proves(later, SEEN, SESSION, NOW_US)


@pytest.mark.parametrize(
    "variant", [TOKEN.upper(), "0x" + TOKEN, " " + TOKEN, TOKEN + "=", "0" + TOKEN]
)
def test_proves_when_token_is_written_otherwise_no(variant: str) -> None:
    assert not tokens.proves(variant, SEEN, SESSION, NOW_US)


@given(st.text())
def test_proves_when_token_is_any_text_no(text: str) -> None:
    assert not tokens.proves(text, SEEN, SESSION, NOW_US)


def test_mint_fits_the_message_with_128_bits_of_mac() -> None:
    longest = tokens.mint(Endpoint.of("2001:db8::1", 65535), SESSION, 2**53)
    assert len(longest) < 64
    assert len(longest.partition(".")[2]) == 22

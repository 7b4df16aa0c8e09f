"""Secrets: which texts are one, and that none shows by accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.secret import NO_SECRET, SECRET_BYTES, Secret, SecretError

TEXT = "aaaqeayeaudaocajbifqydiob4"
BYTES = bytes(range(16))


@given(st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES))
def test_secret_when_written_and_read_is_the_same(data: bytes) -> None:
    text = str(Secret(data))

    assert Secret.parse(text) == Secret.parse(f"  {text.upper()}\n") == Secret(data)
    assert Secret.parse(data.hex()) == Secret(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "correct horse battery staple",
        TEXT[:-1],
        f"{TEXT}a",
        f"{TEXT[:-1]}1",
        "0" * 31,
        "0" * 33,
        "0" * 130,
        "\u0660" * 32,  # digits, but not ours
        f"42-{TEXT}",
    ],
)
def test_text_when_it_has_not_the_form_of_a_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SecretError, match="--new-secret") as refused:
        Secret.parse(text)

    assert not text.strip() or text not in str(refused.value)


def test_repr_when_logged_shows_nothing() -> None:
    assert TEXT not in repr(Secret(BYTES))
    assert "0" not in repr(Secret(BYTES))


def test_derived_bytes_when_compared_are_those_of_rfc_5869() -> None:
    # openssl kdf -keylen 48 -kdfopt digest:SHA256 -kdfopt salt:"midair/1 secret" \
    #   -kdfopt info:"a purpose" -kdfopt hexkey:000102030405060708090a0b0c0d0e0f HKDF
    expected = (
        "7175e61272bcd199a18cf13fa3eb78a2c3453d6cbd07297eba74dbb816403399"
        "d99acd1fa1074876ecfae58d38f9c01c"
    )

    assert Secret(BYTES).derive(b"a purpose", 48).hex() == expected


def test_derived_bytes_when_the_purpose_differs_are_others() -> None:
    secret = Secret(BYTES)

    assert secret.derive(b"one", 32) != secret.derive(b"two", 32)
    assert secret.derive(b"one", 32) != NO_SECRET.derive(b"one", 32)
    assert secret.derive(b"one", 48)[:32] == secret.derive(b"one", 32)

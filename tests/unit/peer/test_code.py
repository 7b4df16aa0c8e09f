"""The code: every one can be handed over and read back, and shows its secret to nobody else."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.code import Code, CodeError

codes = st.builds(Code, st.integers(1, 999_999_999).map(str), st.binary(min_size=16, max_size=16))
TEXT = "42-aaaqeayeaudaocajbifqydiob4"
CODE = Code("42", bytes(range(16)))


@given(codes, st.booleans(), st.sampled_from(["", " ", "\n", "\t "]))
def test_parse_when_it_is_typed_in_any_case_gives_the_code_back(
    code: Code, upper: bool, around: str
) -> None:
    text = str(code).upper() if upper else str(code)

    assert Code.parse(around + text + around) == code


@given(st.text(max_size=40))
def test_parse_when_given_any_text_raises_only_code_errors(text: str) -> None:
    try:
        code = Code.parse(text)
    except CodeError:
        return
    assert len(code.secret) == 16


def test_str_when_shown_is_the_nameplate_and_base32() -> None:
    assert str(CODE) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "42-",
        "aaaqeayeaudaocajbifqydiob4",
        "0-aaaqeayeaudaocajbifqydiob4",
        "042-aaaqeayeaudaocajbifqydiob4",
        "1234567890-aaaqeayeaudaocajbifqydiob4",
        "42-aaaqeayeaudaocajbifqydiob",
        "42-aaaqeayeaudaocajbifqydiob44",
        "42-aaaqeayeaudaocajbifqydiob1",
        "42 aaaqeayeaudaocajbifqydiob4",
        "٤٢-aaaqeayeaudaocajbifqydiob4",
    ],
)
def test_parse_when_the_form_is_another_says_what_a_code_is(text: str) -> None:
    with pytest.raises(CodeError, match="a number, a dash and 26 letters or digits"):
        Code.parse(text)


def test_repr_when_logged_hides_the_secret() -> None:
    assert repr(CODE) == "Code(42-…)"


def test_key_when_derived_is_hkdf_of_rfc_5869() -> None:
    extracted = hmac.digest(b"midair/1 code", CODE.secret, hashlib.sha256)

    assert CODE.key(b"a purpose") == hmac.digest(extracted, b"a purpose\x01", hashlib.sha256)


@given(codes, st.binary(max_size=8), st.binary(max_size=8))
def test_key_when_the_purpose_is_another_is_another(code: Code, one: bytes, two: bytes) -> None:
    assert (code.key(one) == code.key(two)) == (one == two)

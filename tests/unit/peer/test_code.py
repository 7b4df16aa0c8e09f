"""The code: every one can be said and read back, and shows its words to nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.code import MAX_WORDS, MIN_WORDS, Code, CodeError

codes = st.builds(
    Code,
    st.integers(1, 999_999_999).map(str),
    st.binary(min_size=MIN_WORDS, max_size=MAX_WORDS),
)
CODE = Code.parse("42-adroitness-absurd")


@given(codes, st.booleans(), st.sampled_from(["", " ", "\n", "\t "]), st.sampled_from("- "))
def test_parse_when_it_is_typed_in_any_case_gives_the_code_back(
    code: Code, upper: bool, around: str, between: str
) -> None:
    text = str(code).upper() if upper else str(code)

    assert Code.parse(around + text.replace("-", between) + around) == code


@given(st.text(max_size=40))
def test_parse_when_given_any_text_raises_only_code_errors(text: str) -> None:
    try:
        code = Code.parse(text)
    except CodeError:
        return
    assert MIN_WORDS <= len(code.secret) <= MAX_WORDS


def test_str_when_shown_is_the_nameplate_and_a_word_a_byte() -> None:
    assert (CODE.secret, str(CODE)) == (b"\x00\x01", "42-adroitness-absurd")
    assert CODE.words == "adroitness-absurd"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "42-",
        "42-adroitness",
        "adroitness-absurd",
        "0-adroitness-absurd",
        "042-adroitness-absurd",
        "1234567890-adroitness-absurd",
        "42" + "-adroitness-absurd" * 8 + "-adroitness",
        "٤٢-adroitness-absurd",
    ],
)
def test_parse_when_the_form_is_another_says_what_a_code_is(text: str) -> None:
    with pytest.raises(CodeError, match="a number and 2 to 16 words"):
        Code.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("42-crosover-clockwork", "'crosover' is no word of a code: is it crossover"),
        ("42-crossover-xxxxxxxx", "'xxxxxxxx' is no word of a code$"),
        ("42-clockwork-crossover", "'clockwork' is in the wrong place: a word is missing, or two"),
        ("42-crossover-crossover", "'crossover' is in the wrong place"),
    ],
)
def test_parse_when_a_word_is_wrong_names_it(text: str, words: str) -> None:
    with pytest.raises(CodeError, match=words):
        Code.parse(text)


def test_repr_when_logged_hides_the_words() -> None:
    assert repr(CODE) == "Code(42-…)"

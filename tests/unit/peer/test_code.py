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
        ("42-crosover-clockwork", "word 1 of it is in no list of words: it is mistyped"),
        ("42-crossover-xxxxxxxx", "word 2 of it is in no list of words: it is mistyped"),
        (
            "42-clockwork-crossover",
            "word 1 of it is in the wrong place: a word is missing, or two are exchanged",
        ),
        (
            "42-crossover-crossover",
            "word 2 of it is in the wrong place: a word is missing, or two are exchanged",
        ),
    ],
)
def test_parse_when_a_word_is_wrong_says_where_and_shows_no_word(text: str, words: str) -> None:
    with pytest.raises(CodeError) as caught:
        Code.parse(text)
    assert str(caught.value) == words
    assert not {*text.split("-")} & {*str(caught.value).split()}


def test_parse_when_a_word_is_mistyped_keeps_those_that_it_is_like_apart() -> None:
    with pytest.raises(CodeError) as caught:
        Code.parse("42-crosover-clockwork")
    assert "crossover" in caught.value.like
    assert "crossover" not in repr(caught.value)


def test_repr_when_logged_hides_the_words() -> None:
    assert repr(CODE) == "Code(42-…)"

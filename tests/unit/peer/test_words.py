"""The list of words: 8 bits a word, no word twice, completed and corrected by place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.words import EVEN, ODD, completions, list_at, nearest, words_of


def test_lists_have_256_words_each_and_none_twice() -> None:
    assert len(EVEN) == len(ODD) == 256
    assert len({*EVEN, *ODD}) == 512
    assert all(word.isascii() and word.isalpha() and word.islower() for word in (*EVEN, *ODD))


@given(st.binary(min_size=1, max_size=16))
def test_words_of_different_bytes_can_be_read_back(data: bytes) -> None:
    words = words_of(data).split("-")
    assert bytes(list_at(place).index(word) for place, word in enumerate(words)) == data


def test_words_as_published_at_both_ends() -> None:
    assert (EVEN[0], ODD[0], EVEN[255], ODD[255]) == ("aardvark", "adroitness", "zulu", "yucatan")


def test_nearest_of_a_typing_error_finds_the_word() -> None:
    assert "crossover" in nearest("crosover", 0)


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("7", []),
        ("7-crosso", ["7-crossover"]),
        ("7-crossover-clockw", ["7-crossover-clockwork"]),
        ("7-CROSSO", ["7-crossover"]),
        ("7-xyz", []),
    ],
)
def test_completions_of_a_code_so_far(typed: str, wanted: list[str]) -> None:
    assert completions(typed) == wanted

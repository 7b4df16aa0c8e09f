"""Bytes that wait for their reader."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from peer.core.pieces import GATHERED, SMALL, Pieces

MIB = 1024 * 1024


@given(
    st.lists(st.integers(1, 3 * SMALL), max_size=30),
    st.lists(st.integers(1, 8 * SMALL), min_size=1, max_size=30),
)
def test_pieces_when_cut_anyhow_give_the_same_bytes(put: list[int], taken: list[int]) -> None:
    pieces, expected, got = Pieces(), b"", b""
    for number, length in enumerate(put):
        data = bytes([number]) * length
        expected += data
        pieces.append(data)
        most = taken[number % len(taken)]
        if number % 2:
            got += (some := pieces.take(most))
            assert 0 < len(some) <= most
        assert len(pieces) == len(expected) - len(got)
    while pieces:
        got += pieces.take(taken[-1])
    assert got == expected
    assert pieces.take(1) == b""


def test_take_when_a_large_piece_fits_hands_it_on_as_it_came() -> None:
    pieces = Pieces()
    data = bytes(GATHERED)
    pieces.append(data)
    assert pieces.take(GATHERED) is data


def test_take_when_several_fit_gives_them_together() -> None:
    pieces = Pieces()
    for length in (SMALL, SMALL, 1):
        pieces.append(bytes(length))
    assert len(pieces.take(2 * SMALL)) == 2 * SMALL
    assert len(pieces.take(SMALL)) == 1


def test_clear_when_bytes_wait_says_how_many() -> None:
    pieces = Pieces()
    pieces.append(b"ab")
    assert pieces.clear() == 2
    assert not pieces


def test_append_when_bytes_come_two_by_two_needs_little_more_than_they_are() -> None:
    pieces = Pieces()
    tracemalloc.start()
    try:
        for _ in range(MIB // 2):
            pieces.append(bytes(2))
        assert len(pieces) == MIB
        assert tracemalloc.get_traced_memory()[1] < 2 * MIB
    finally:
        tracemalloc.stop()

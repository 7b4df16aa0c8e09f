"""The session's key: equal where the words are, and bound to all that it is used for."""

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.keys import SessionKey, identity_holds, identity_proof, race_key
from peer.core.pake import Exchange, PakeError
from peer.core.secret import Secret

SESSION, OTHER = bytes(16), bytes(15) + b"\x01"
KEY = SessionKey(bytes(range(32)), SESSION)
MINE, THEIRS, DIGEST = b"m" * 32, b"t" * 32, b"d" * 32


def _agree(words_a: bytes, words_b: bytes, plate_b: str = "7") -> tuple[SessionKey, SessionKey]:
    a, b = Exchange(words_a, "7", os.urandom), Exchange(words_b, plate_b, os.urandom)
    return a.finish(b.message, SESSION), b.finish(a.message, SESSION)


def test_exchange_with_the_same_words_gives_the_same_key() -> None:
    a, b = _agree(b"crossover-clockwork", b"crossover-clockwork")
    assert a == b
    assert len(a.derive(b"x")) == 32


@pytest.mark.parametrize(("words", "plate"), [(b"other", "7"), (b"words", "8")])
def test_exchange_with_another_code_gives_another_key(words: bytes, plate: str) -> None:
    a, b = _agree(b"words", words, plate)
    assert a.derive(b"x") != b.derive(b"x")


def test_finish_with_the_own_message_is_refused() -> None:
    exchange = Exchange(b"words", "7", os.urandom)
    with pytest.raises(PakeError, match="came back"):
        exchange.finish(exchange.message, SESSION)


@given(st.binary(min_size=32, max_size=32))
def test_finish_with_any_point_or_none_gives_a_key_or_is_refused(octets: bytes) -> None:
    # Every other one is not on the curve, and most of the others are not in the group.
    exchange = Exchange(b"words", "7", os.urandom)
    with contextlib.suppress(PakeError):
        assert len(exchange.finish(b"S" + octets, SESSION).derive(b"x")) == 32


def test_finish_with_a_point_off_the_curve_is_refused() -> None:
    with pytest.raises(PakeError, match="NotOnCurve"):
        Exchange(b"words", "7", os.urandom).finish(b"S" + bytes([2]) + bytes(31), SESSION)


@pytest.mark.parametrize("message", [b"", b"S", b"A" + bytes(32), b"S" + b"\xff" * 32, bytes(34)])
def test_finish_with_garbage_is_refused(message: bytes) -> None:
    with pytest.raises(PakeError):
        Exchange(b"words", "7", os.urandom).finish(message, SESSION)


def test_key_of_a_secret_is_equal_on_both_sides_and_differs_by_session() -> None:
    secret = Secret(bytes(16))
    assert SessionKey.of_secret(secret, SESSION) == SessionKey.of_secret(secret, SESSION)
    other = SessionKey.of_secret(secret, OTHER)
    assert SessionKey.of_secret(secret, SESSION).derive(b"x") != other.derive(b"x")


def test_key_shown_hides_itself() -> None:
    assert repr(KEY) == "SessionKey(…)"


def test_identity_proof_holds_for_its_own_place_only() -> None:
    proof = identity_proof(KEY, "a", 1, MINE)
    elsewhere = SessionKey(KEY.material, OTHER)
    assert identity_holds(proof, KEY, "a", 1, MINE)
    assert not identity_holds(proof, KEY, "b", 1, MINE)
    assert not identity_holds(proof, KEY, "a", 2, MINE)
    assert not identity_holds(proof, KEY, "a", 1, THEIRS)
    assert not identity_holds(proof, elsewhere, "a", 1, MINE)
    assert not identity_holds(proof, KEY, "a", 1, b"short")


def test_race_key_changes_with_each_part() -> None:
    keys = {
        race_key(KEY, DIGEST, MINE, THEIRS),
        race_key(KEY, DIGEST, THEIRS, MINE),
        race_key(KEY, bytes(32), MINE, THEIRS),
        race_key(KEY, DIGEST, MINE, bytes(32)),
        race_key(SessionKey(KEY.material, OTHER), DIGEST, MINE, THEIRS),
    }
    assert len(keys) == 5

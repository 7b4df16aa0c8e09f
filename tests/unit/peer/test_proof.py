"""A proof holds at the far end of exactly one connection, and nowhere else."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from peer.core.proof import (
    PARTNER_OF,
    TIE_BREAK_BYTES,
    Place,
    holds,
    make_proof,
    role_of,
)
from rendezvous.protocol.messages import Role

KEY, OTHER_KEY = b"k" * 32, b"K" * 32
PLACE = Place(bytes(16), 1, 0)
NONCE_I, NONCE_R = b"i" * 32, b"r" * 32
nonces = st.binary(min_size=32, max_size=32)
places = st.builds(
    Place, st.binary(min_size=16, max_size=16), st.integers(1, 16), st.integers(0, 31)
)
roles: st.SearchStrategy[Role] = st.sampled_from(["initiator", "responder"])


@given(places, roles, nonces, nonces)
def test_holds_when_made_by_the_partner_is_true(
    place: Place, role: Role, own: bytes, far: bytes
) -> None:
    proof = make_proof(KEY, PARTNER_OF[role], place, far, own)

    assert holds(proof, KEY, role, place, own, far)


@given(places, places, roles, nonces, nonces)
def test_holds_when_made_for_another_connection_is_false(
    place: Place, other: Place, role: Role, own: bytes, far: bytes
) -> None:
    assume(place != other)
    proof = make_proof(KEY, PARTNER_OF[role], other, far, own)

    assert not holds(proof, KEY, role, place, own, far)


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_holds_when_sent_back_to_its_maker_is_false(role: Role) -> None:
    own = make_proof(KEY, role, PLACE, NONCE_I, NONCE_I)

    assert not holds(own, KEY, role, PLACE, NONCE_I, NONCE_I)


@given(nonces)
def test_holds_when_a_nonce_is_another_is_false(nonce: bytes) -> None:
    assume(nonce not in (NONCE_I, NONCE_R))
    proof = make_proof(KEY, "responder", PLACE, NONCE_R, NONCE_I)

    assert holds(proof, KEY, "initiator", PLACE, NONCE_I, NONCE_R)
    assert not holds(proof, KEY, "initiator", PLACE, nonce, NONCE_R)
    assert not holds(proof, KEY, "initiator", PLACE, NONCE_I, nonce)


@given(st.binary(max_size=40))
def test_holds_when_the_proof_is_made_up_is_false(proof: bytes) -> None:
    assert not holds(proof, KEY, "initiator", PLACE, NONCE_I, NONCE_R)


def test_holds_when_the_code_is_another_is_false() -> None:
    proof = make_proof(OTHER_KEY, "responder", PLACE, NONCE_R, NONCE_I)

    assert not holds(proof, KEY, "initiator", PLACE, NONCE_I, NONCE_R)


def test_make_proof_when_computed_is_what_its_drawing_says() -> None:
    place = replace(PLACE, attempt=2, pair=3)
    text = b"midair/1 proof" + b"I" + bytes(16) + b"\x00\x02\x00\x03" + NONCE_I + NONCE_R

    assert make_proof(KEY, "initiator", place, NONCE_I, NONCE_R) == hmac.digest(
        KEY, text, hashlib.sha256
    )


def test_role_when_nobody_appointed_it_goes_to_the_larger_tie_break() -> None:
    low, high = b"\x01" * TIE_BREAK_BYTES, b"\x02" + b"\x00" * (TIE_BREAK_BYTES - 1)
    fresh, other = b"\xff" * 16, b"\x00" * 16

    assert role_of(high + other, low + fresh) == "initiator"
    assert role_of(low + fresh, high + other) == "responder"


def test_role_when_the_own_hello_comes_back_is_none() -> None:
    tie_break = b"\x01" * TIE_BREAK_BYTES

    assert role_of(tie_break + b"a" * 16, tie_break + b"b" * 16) is None

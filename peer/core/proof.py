"""The proof that a far end has the attempt's key, for exactly this connection.

``HMAC-SHA256(key, label ‖ role ‖ session ‖ attempt ‖ pair ‖ nonce_i ‖ nonce_r)``

The role keeps a proof from being sent back to its maker, the nonces of both
ends keep it from being used again, session, attempt and pair keep it from
being used elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

from rendezvous.protocol.messages import Role

PURPOSE = b"midair/1 proof"
PROOF_BYTES = 32
NONCE_BYTES = 32
TIE_BREAK_BYTES = 16
"""Of a nonce, its first ones, where nobody has appointed the roles: see :func:`role_of`."""
_ROLE_BYTE: dict[Role, bytes] = {"initiator": b"I", "responder": b"R"}
PARTNER_OF: dict[Role, Role] = {"initiator": "responder", "responder": "initiator"}


@dataclass(frozen=True, slots=True)
class Place:
    """Which connection: session, attempt and pair."""

    session: bytes
    """16 bytes."""
    attempt: int
    pair: int


def role_of(own_nonce: bytes, far_nonce: bytes) -> Role | None:
    """Find this end's role where nobody has appointed it.

    Each end begins all nonces of an attempt with the same random bytes, its tie-break (the rest is
    fresh for each connection), so that its role is the same on every connection with the partner.

    Args:
        own_nonce: what this end sent in its hello.
        far_nonce: what the far end sent.

    Returns:
        Initiator, where the own tie-break is the larger number; None where they are equal: that
        is this end's own hello, sent back.

    Reference: RFC 8445 §7.3.1.1, the tie-breaker of ICE.
    """
    own, far = own_nonce[:TIE_BREAK_BYTES], far_nonce[:TIE_BREAK_BYTES]
    if own == far:
        return None
    return "initiator" if own > far else "responder"


def make_proof(key: bytes, role: Role, place: Place, own_nonce: bytes, far_nonce: bytes) -> bytes:
    """Compute the proof that the end with this role sends.

    Args:
        key: of the attempt (:func:`peer.core.keys.race_key`) or of the meeting, 32 bytes.
        role: of the end that sends the proof.
        place: the connection.
        own_nonce: 32 bytes that this end sent in its hello.
        far_nonce: 32 bytes that the far end sent.

    Returns:
        32 bytes.
    """
    nonces = own_nonce + far_nonce if role == "initiator" else far_nonce + own_nonce
    text = PURPOSE + _ROLE_BYTE[role] + place.session
    text += struct.pack("!HH", place.attempt, place.pair) + nonces
    return hmac.new(key, text, hashlib.sha256).digest()


def holds(
    proof: bytes, key: bytes, role: Role, place: Place, own_nonce: bytes, far_nonce: bytes
) -> bool:
    """Say whether a received proof is the far end's, in constant time.

    Args:
        proof: what came.
        key: as for :func:`make_proof`.
        role: of *this* end.
        place: the connection.
        own_nonce: this end's nonce.
        far_nonce: the far end's nonce.

    Returns:
        True only for the proof that the partner would make.
    """
    expected = make_proof(key, PARTNER_OF[role], place, far_nonce, own_nonce)
    return hmac.compare_digest(proof, expected)

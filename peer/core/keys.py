"""The key of one session, and the keys that are derived from it.

::

    words of the code ── SPAKE2 ──┐
                                  ├─→ SessionKey ─→ identity proof (report)
    shared secret ── HKDF ────────┘              └─→ race key (every connection)

Where the key comes from is :mod:`peer.core.pake`, or :meth:`SessionKey.of_secret`.

Reference: RFC 5869.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

from peer.core.secret import Secret, hkdf
from rendezvous.protocol.messages import Seat

KEY_BYTES = 32
FINGERPRINT_BYTES = 32
"""SHA-256 of a certificate in DER."""
_SALT = b"midair/1 session"
_OF_SECRET = b"midair/1 session of secret"
_IDENTITY = b"midair/1 identity"
_RACE = b"midair/1 race"


@dataclass(frozen=True, slots=True, repr=False)
class SessionKey:
    """What both peers of one session know, and nobody else."""

    material: bytes
    """32 bytes."""
    session: bytes
    """The session's 16 bytes: each derived key belongs to it alone."""

    def __repr__(self) -> str:
        """Show nothing: keys must not end up in logs."""
        return "SessionKey(…)"

    @classmethod
    def of_secret(cls, secret: Secret, session: bytes) -> SessionKey:
        """Take the key from a secret that both sides have: no exchange is needed.

        Args:
            secret: 128 bits or more.
            session: the session's 16 bytes.
        """
        return cls(secret.derive(_OF_SECRET, KEY_BYTES), session)

    def derive(self, purpose: bytes) -> bytes:
        """Derive a key.

        Args:
            purpose: what for; another purpose, another key.

        Returns:
            32 bytes.
        """
        return hkdf(_SALT, self.material + self.session, purpose, KEY_BYTES)


def identity_proof(key: SessionKey, seat: Seat, attempt: int, fingerprint: bytes) -> bytes:
    """Prove that a certificate is the one of the peer who knows the code.

    Args:
        key: the session's; it binds the session.
        seat: of the peer whose certificate it is, so that a proof sent back proves nothing.
        attempt: 1, 2, …; a proof of another attempt proves nothing.
        fingerprint: SHA-256 of the certificate.

    Returns:
        32 bytes.

    Raises:
        ValueError: the fingerprint has another length.
    """
    if len(fingerprint) != FINGERPRINT_BYTES:
        raise ValueError(f"a fingerprint has {FINGERPRINT_BYTES} bytes, not {len(fingerprint)}")
    text = seat.encode("ascii") + struct.pack("!H", attempt) + fingerprint
    return hmac.digest(key.derive(_IDENTITY), text, hashlib.sha256)


def identity_holds(
    proof: bytes, key: SessionKey, seat: Seat, attempt: int, fingerprint: bytes
) -> bool:
    """Say, in constant time, whether a proof is the one of :func:`identity_proof`.

    Args:
        proof: what came.
        key: this peer's.
        seat: the *partner's*.
        attempt: this one.
        fingerprint: of the certificate that came with the proof.
    """
    if len(fingerprint) != FINGERPRINT_BYTES:
        return False
    return hmac.compare_digest(proof, identity_proof(key, seat, attempt, fingerprint))


def race_key(
    key: SessionKey, digest: bytes, initiator_fingerprint: bytes, responder_fingerprint: bytes
) -> bytes:
    """Derive the key that an attempt's connections are proven by.

    Args:
        key: the session's.
        digest: SHA-256 of the appointment, the same on both sides.
        initiator_fingerprint: of the initiator's certificate.
        responder_fingerprint: of the responder's.

    Returns:
        32 bytes: equal on both sides only if both saw the same plan and the same certificates.

    Raises:
        ValueError: one of them has another length.
    """
    parts = (digest, initiator_fingerprint, responder_fingerprint)
    if any(len(part) != FINGERPRINT_BYTES for part in parts):
        raise ValueError("a digest and a fingerprint have 32 bytes each")
    return key.derive(_RACE + b"".join(parts))

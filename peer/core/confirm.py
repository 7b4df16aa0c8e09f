"""What turns a won connection into an encrypted one: certificates, and the proof over them.

Right behind SELECTED (:mod:`peer.core.greeting`) each end sends, in the clear::

     0        1                 3
    +--------+--------+--------+----------------- - - -
    |   5    |     length      |  CERTIFICATE: the sender's, DER, 1 to 2048 bytes
    +--------+--------+--------+----------------- - - -

The initiator begins TLS 1.3 with its next byte, as client.  Inside TLS each end first sends 32
bytes, CONFIRM::

    HMAC-SHA256(key, label ‖ role ‖ session ‖ attempt ‖ pair
                     ‖ certificate_i ‖ certificate_r ‖ appointment ‖ facts_i ‖ facts_r)

with the fingerprints of the certificates that TLS itself has seen: who sits between two ends has
a certificate of its own, and cannot make this.  What follows CONFIRM belongs to the stream.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

from peer.core.greeting import Facts, Select, encode
from peer.core.proof import PARTNER_OF, Place
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.messages import Role

HEADER = struct.Struct("!BH")
CERTIFICATE = 5
CERTIFICATE_MAX = 2048
"""Ours have about 330 bytes."""
CONFIRM_BYTES = 32
NO_APPOINTMENT = bytes(32)
"""In the place of the digest, where no server has appointed anything."""
_PURPOSE = b"midair/1 confirm"
_ROLE_BYTE: dict[Role, bytes] = {"initiator": b"I", "responder": b"R"}


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything that both ends must have seen alike."""

    place: Place
    initiator_fingerprint: bytes
    """SHA-256 of the certificate that TLS saw, 32 bytes."""
    responder_fingerprint: bytes
    appointment: bytes
    """SHA-256 of the appointment, 32 bytes, or :data:`NO_APPOINTMENT`."""
    initiator_facts: Facts
    """Of SELECT."""
    responder_facts: Facts
    """Of SELECTED."""


def confirmation(key: bytes, role: Role, transcript: Transcript) -> bytes:
    """Compute what the end with this role sends inside TLS.

    Args:
        key: the one that :func:`peer.core.proof.make_proof` takes.
        role: of the end that sends it.
        transcript: what that end has seen.

    Returns:
        32 bytes.

    Raises:
        ValueError: a fingerprint or a digest has another length.
    """
    hashes = (
        transcript.initiator_fingerprint,
        transcript.responder_fingerprint,
        transcript.appointment,
    )
    if any(len(text) != hashlib.sha256().digest_size for text in hashes):
        raise ValueError("a fingerprint and a digest have 32 bytes each")
    place = transcript.place
    parts = (
        _PURPOSE + _ROLE_BYTE[role] + place.session,
        struct.pack("!HH", place.attempt, place.pair),
        *hashes,
        encode(Select(transcript.initiator_facts)),
        encode(Select(transcript.responder_facts)),
    )
    return hmac.digest(key, b"".join(parts), hashlib.sha256)


def confirms(received: bytes, key: bytes, role: Role, transcript: Transcript) -> bool:
    """Say, in constant time, whether the far end has seen the same and knows the key.

    Args:
        received: what came inside TLS.
        key: this end's.
        role: of *this* end.
        transcript: what this end has seen.
    """
    return hmac.compare_digest(received, confirmation(key, PARTNER_OF[role], transcript))


def encode_certificate(certificate: bytes) -> bytes:
    """Encode CERTIFICATE.

    Args:
        certificate: DER.
    """
    return HEADER.pack(CERTIFICATE, len(certificate)) + certificate


def certificate_length(head: bytes) -> int:
    """Return how many bytes of certificate follow.

    Args:
        head: the first three bytes.

    Raises:
        ProtocolError: this is no CERTIFICATE, or nobody's is that long.
    """
    kind, length = HEADER.unpack(head)
    if kind != CERTIFICATE or not 1 <= length <= CERTIFICATE_MAX:
        raise ProtocolError(f"no certificate has type {kind} and length {length}")
    return int(length)

"""A secret that two people share beforehand, and the keys that are derived from it.

Whatever is derived may be tried out by somebody who sees it: a proof that was
overheard, or the ports that a volley leaves from, let anyone check a guess at
home, as fast as a machine can.  So a secret must have 128 bits, and a text
that a person made up is refused.  ``midair meet --new-secret`` makes one.

Reference: RFC 5869 (HKDF-SHA256), RFC 4648 §6 (base32).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

SECRET_BYTES = 16
"""128 bits: nobody tries them all."""
_SALT = b"midair/1 secret"
_NAMEPLATE = b"midair/1 nameplate"
_NAMEPLATES = range(100_000_000, 1_000_000_000)
"""Nine digits: a rendezvous draws short ones, and two secrets hardly ever meet in one."""
_BASE32 = re.compile(r"[a-z2-7]{26}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2}){16,64}", re.ASCII)


class SecretError(ValueError):
    """The text is not a secret; the message says what one looks like, and never the text."""


def hkdf(salt: bytes, material: bytes, purpose: bytes, length: int) -> bytes:
    """Derive bytes from what two hosts alone know (HKDF-SHA256).

    Args:
        salt: what kind of material it is; public.
        material: 128 random bits or more.
        purpose: what for; another purpose, other bytes.
        length: how many, up to 8160.

    Returns:
        The bytes.
    """
    key = hmac.digest(salt, material, hashlib.sha256)
    derived = block = b""
    counter = 0
    while len(derived) < length:
        counter += 1
        block = hmac.digest(key, block + purpose + bytes([counter]), hashlib.sha256)
        derived += block
    return derived[:length]


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Bytes that only two hosts know."""

    data: bytes
    """At least 16 bytes, or none: see :data:`NO_SECRET`."""

    def __str__(self) -> str:
        """Return the text that is handed over, in base32."""
        return base64.b32encode(self.data).decode("ascii").rstrip("=").lower()

    def __repr__(self) -> str:
        """Show nothing: secrets must not end up in logs."""
        return "Secret(…)"

    @classmethod
    def parse(cls, text: str) -> Secret:
        """Read a secret as people hand it over: any case, spaces around it.

        Args:
            text: 26 letters and digits of base32, or 32 to 128 hexadecimal digits.

        Returns:
            The secret.

        Raises:
            SecretError: the text has another form.
        """
        plain = text.strip().lower()
        if _BASE32.fullmatch(plain):
            return cls(base64.b32decode(plain.upper() + "======"))
        if _HEX.fullmatch(plain):
            return cls(bytes.fromhex(plain))
        raise SecretError(
            "a secret is 26 letters and digits, as `midair meet --new-secret` makes them, or at "
            "least 32 hexadecimal digits: what a person can remember, a machine can guess"
        )

    @property
    def nameplate(self) -> str:
        """Where two hosts that have it meet at a rendezvous: a number that tells nothing of it."""
        drawn = int.from_bytes(self.derive(_NAMEPLATE, 8), "big")
        return str(_NAMEPLATES[drawn % len(_NAMEPLATES)])

    def derive(self, purpose: bytes, length: int) -> bytes:
        """Derive bytes (HKDF-SHA256).

        Args:
            purpose: what for; another purpose, other bytes.
            length: how many, up to 8160.

        Returns:
            The bytes.
        """
        return hkdf(_SALT, self.data, purpose, length)


NO_SECRET = Secret(b"")
"""What everybody knows: derivations from it are public, and its proofs prove nothing."""

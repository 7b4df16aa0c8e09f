"""The code that one user hands to the other: ``NAMEPLATE-SECRET``.

The nameplate finds the session and is known to the rendezvous.  The secret, 128
bits made by the first peer, never leaves the two hosts: every key comes from
it.  Base32 (RFC 4648 §6) in small letters, since people read it aloud.

Reference: RFC 5869 for the derivation of keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

SECRET_BYTES = 16
"""128 bits: nobody tries them all, so a wrong guess needs no counter."""
_SALT = b"midair/1 code"
_FORM = re.compile(r"([1-9][0-9]{0,8})-([a-z2-7]{26})", re.ASCII)


class CodeError(ValueError):
    """The text is not a code."""


@dataclass(frozen=True, slots=True, repr=False)
class Code:
    """A nameplate and the secret behind it."""

    nameplate: str
    """Known to the rendezvous."""
    secret: bytes
    """16 bytes that the rendezvous never sees."""

    def __str__(self) -> str:
        """Return the text that is handed over."""
        text = base64.b32encode(self.secret).decode("ascii").rstrip("=").lower()
        return f"{self.nameplate}-{text}"

    def __repr__(self) -> str:
        """Show the nameplate only: codes must not end up in logs."""
        return f"Code({self.nameplate}-…)"

    @classmethod
    def parse(cls, text: str) -> Code:
        """Read a code as people type it: any case, spaces around it.

        Args:
            text: what the user gave.

        Returns:
            The code.

        Raises:
            CodeError: the text has another form.
        """
        match = _FORM.fullmatch(text.strip().lower())
        if match is None:
            raise CodeError(
                "a code is a number, a dash and 26 letters or digits, as `midair listen` printed it"
            )
        try:
            secret = base64.b32decode(match[2].upper() + "======")
        except binascii.Error as error:  # pragma: no cover - the form admits only base32
            raise CodeError(str(error)) from None
        return cls(match[1], secret)

    def key(self, purpose: bytes) -> bytes:
        """Derive a key (HKDF-SHA256, one block).

        Args:
            purpose: what the key is for; another purpose, another key.

        Returns:
            32 bytes.
        """
        extracted = hmac.new(_SALT, self.secret, hashlib.sha256).digest()
        return hmac.new(extracted, purpose + b"\x01", hashlib.sha256).digest()

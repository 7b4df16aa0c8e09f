"""One password-authenticated key exchange: a few words in, a strong key out.

Each side sends 33 bytes, of which nobody can try out a guess: only the partner's own attempt can,
once. :mod:`peer.core.keys` is told apart since a shared secret needs no exchange.

Reference: RFC 9382 (the idea), the ``spake2`` package, whose symmetric form magic-wormhole uses.
"""

from __future__ import annotations

from collections.abc import Callable

from spake2 import SPAKE2_Symmetric  # type: ignore[import-untyped]

from peer.core.keys import SessionKey

MESSAGE_BYTES = 33
_SYMMETRIC = b"S"
"""What the messages of the symmetric form begin with; the package asserts it only."""
_IDENTITY = b"midair/1 pake "


class PakeError(ValueError):
    """What came is no partner's message; the text says why."""


class Exchange:
    """One side of one exchange: :attr:`message` goes out, :meth:`finish` takes the partner's."""

    __slots__ = ("_side", "message")

    def __init__(self, words: bytes, nameplate: str, entropy: Callable[[int], bytes]) -> None:
        """Start it; about 4 ms.

        Args:
            words: the part of the code that the rendezvous does not see.
            nameplate: the part that it does; both sides must mean the same one.
            entropy: makes that many random bytes.
        """
        identity = _IDENTITY + nameplate.encode("ascii")
        self._side = SPAKE2_Symmetric(words, idSymmetric=identity, entropy_f=entropy)
        self.message: bytes = self._side.start()

    def finish(self, partner: bytes, session: bytes) -> SessionKey:
        """Make the key; about 7 ms, once.

        Where the words differ the keys do: nothing tells here.

        Args:
            partner: the partner's message.
            session: the session's 16 bytes.

        Returns:
            The session's key.

        Raises:
            PakeError: it is no such message, or this side's own, sent back.
        """
        if len(partner) != MESSAGE_BYTES:
            raise PakeError(f"a PAKE message has {MESSAGE_BYTES} bytes, not {len(partner)}")
        if not partner.startswith(_SYMMETRIC):
            raise PakeError("no PAKE message: it is of another form")
        if partner == self.message:
            raise PakeError("this peer's own PAKE message came back")
        try:
            return SessionKey(self._side.finish(partner), session)
        except Exception as error:  # its errors have no class in common
            raise PakeError(f"no PAKE message: {type(error).__name__}") from None

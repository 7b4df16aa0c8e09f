"""How two peers who have met come to one key: by the words of a code, or by a shared secret.

It is finished before a peer learns and reports: the exchange computes for milliseconds, and
nothing may compute near the instant.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from peer.core.code import Code
from peer.core.keys import SessionKey
from peer.core.secret import Secret
from peer.errors import AuthenticationError
from peer.io.agreement import AGAIN, Agreement, make_identity
from rendezvous.protocol.messages import Seat, Seated

if TYPE_CHECKING:
    from peer.core.pake import Exchange
    from peer.io.identity import Identity

Known = Code | Secret
"""What both users have."""


class Keying:
    """One peer's part.

    Attributes:
        message: what the partner needs, for the rendezvous to pass on; None: nothing.
    """

    def __init__(self, known: Known) -> None:
        """Begin; some milliseconds for a code.

        Args:
            known: what the key is made of.
        """
        self._known = known
        self._exchange: Exchange | None = None
        self.message: str | None = None
        if isinstance(known, Code):
            # Loaded by who needs it: it computes a table of points, and other groups, too.
            from peer.core.pake import Exchange

            self._exchange = Exchange(known.words.encode("ascii"), known.nameplate, os.urandom)
            self.message = self._exchange.message.hex()

    def agree(
        self, seated: Seated, partner: str | None, identity: Identity | None = None
    ) -> Agreement | None:
        """Make the key; some milliseconds for a code.

        Args:
            seated: this peer's seat.
            partner: the partner's message, as far as it has come.
            identity: this peer's; None: it is made here, which takes as long again.

        Returns:
            What the session stands on; None: the partner's message is needed first.

        Raises:
            AuthenticationError: what came is no partner's message, or who joined has sent none.
        """
        seat: Seat = seated.seat
        session = bytes.fromhex(seated.session)
        if isinstance(self._known, Secret):
            key = SessionKey.of_secret(self._known, session)
            return Agreement(key, seat, identity or make_identity())
        from peer.core.pake import PakeError

        assert self._exchange is not None
        if partner is None:
            if seat == "a":
                raise AuthenticationError("whoever has joined does not ask for a key", AGAIN)
            return None
        try:
            key = self._exchange.finish(bytes.fromhex(partner), session)
        except PakeError as error:
            raise AuthenticationError(f"no key could be agreed: {error}", AGAIN) from None
        return Agreement(key, seat, identity or make_identity())

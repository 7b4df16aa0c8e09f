"""Address tokens: proof that the reflector saw a peer at an endpoint a moment ago.

Without them a rendezvous would be a cannon: whoever joins a session could name
a stranger's address and have the partner fire SYNs at it.  A token says *this
session was seen at this endpoint until then*, and only the server that minted
it (or one that shares its key) can say so.

::

    token = expiry, microseconds of POSIX UTC, in hexadecimal
            "."
            base64url(HMAC-SHA256(key, expiry | address | port | session)[:16])

16 octets of MAC are RFC 2104 §5's half of the hash: 128 bits cannot be guessed
within a token's minute.

A *ticket* lets a peer of a session in at the relay, once; it holds for one seat and a minute::

    HMAC-SHA256(key, "relay" | expiry | session | seat)[:16]

No address token begins with that word, so neither can stand for the other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import Seat
from rendezvous.protocol.relay import RelayHeader
from rendezvous.protocol.times import US_PER_S

TOKEN_LIFE_US = 60 * US_PER_S
"""Six times the age (10 s) at which a peer measures its report again, so that a
fresh report is never refused, and no longer than a NAT may keep a closed mapping."""
TICKET_LIFE_US = 60 * US_PER_S
"""A peer asks for it when it needs it: time to look a name up and to lose a SYN or two."""
MAC_OCTETS = 16
KEY_OCTETS = 32
"""HMAC-SHA256's own output length (RFC 2104 §3 discourages less)."""


class Tokens:
    """Mints tokens and checks them."""

    def __init__(self, key: bytes | None = None) -> None:
        """Take the key.

        Args:
            key: shared by servers that should accept each other's tokens, or
                kept over a restart; None: a random one.
        """
        self._key = secrets.token_bytes(KEY_OCTETS) if key is None else key

    def mint(self, endpoint: Endpoint, session: str, now_us: int) -> str:
        """Say that a session was seen at an endpoint.

        Args:
            endpoint: where the reflector saw it.
            session: the session that asked.
            now_us: the rendezvous's time.

        Returns:
            ASCII text of less than 64 characters.
        """
        expiry_us = now_us + TOKEN_LIFE_US
        return f"{expiry_us:x}.{self._mac(endpoint, session, expiry_us)}"

    def proves(self, token: str, endpoint: Endpoint, session: str, now_us: int) -> bool:
        """Tell whether a token says that this session was at this endpoint, and still holds.

        Args:
            token: any text.
            endpoint: the endpoint that the peer claims.
            session: the session that the claim is made in.
            now_us: the rendezvous's time.

        Returns:
            True only for a token that was minted for exactly these.
        """
        expiry_text, _, mac = token.partition(".")
        try:
            expiry_us = int(expiry_text, 16)
        except ValueError:
            return False
        # One text for one token: int() would also take "0x", "_" and spaces.
        if f"{expiry_us:x}" != expiry_text or not mac.isascii():
            return False
        genuine = hmac.compare_digest(mac, self._mac(endpoint, session, expiry_us))
        return genuine and now_us <= expiry_us

    def mint_ticket(self, session: str, seat: Seat, expiry_us: int) -> RelayHeader:
        """Let a peer of a session in at the relay.

        Args:
            session: 32 hexadecimal digits.
            seat: the peer's.
            expiry_us: until when, in the rendezvous's time.

        Returns:
            The header that it shows there.
        """
        return RelayHeader(session, seat, expiry_us, self._ticket_mac(session, seat, expiry_us))

    def admits(self, ticket: RelayHeader) -> bool:
        """Tell whether a ticket was minted with this key; whether it has ended is not asked.

        Args:
            ticket: what a client of the relay has shown.

        Returns:
            True only for exactly what :meth:`mint_ticket` made.
        """
        genuine = self._ticket_mac(ticket.session, ticket.seat, ticket.expiry_us)
        return hmac.compare_digest(ticket.mac, genuine)

    def _ticket_mac(self, session: str, seat: Seat, expiry_us: int) -> bytes:
        claim = f"relay|{expiry_us:x}|{session}|{seat}"
        return hmac.digest(self._key, claim.encode(), hashlib.sha256)[:MAC_OCTETS]

    def _mac(self, endpoint: Endpoint, session: str, expiry_us: int) -> str:
        # The session stands last, since it is the client's own word and may contain the separator:
        # so no two claims share one text. A ticket's claim begins with no number.
        claim = f"{expiry_us:x}|{endpoint.address}|{endpoint.port}|{session}"
        digest = hmac.digest(self._key, claim.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:MAC_OCTETS]).decode().rstrip("=")

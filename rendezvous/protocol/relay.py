"""What a peer and the relay say to each other before the bytes flow: the codec, no I/O.

The relay joins two outgoing TCP connections of one session. What it joins is encrypted from peer
to peer, so it needs to know nothing but whom it may let in: a *ticket* says so, a MAC by the
rendezvous over session, seat and expiry (:class:`rendezvous.tokens.Tokens`).

A client sends one header, of fixed length, integers in network byte order::

     0      6  7  8              24              32                              48
    +------+--+--+---------------+---------------+-------------------------------+
    |midair|v |s | session (16)  | expiry_us (8) | MAC (16)                      |
    +------+--+--+---------------+---------------+-------------------------------+

    v       version of this header, 1
    s       seat, 0x61 "a" or 0x62 "b"

The relay answers with octets, one each: at most one WAITING, then GO or a refusal. After GO
every octet is the partner's; after a refusal the connection is closed.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from enum import IntEnum

from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.messages import Seat

VERSION = 1
SESSION_OCTETS = 16
MAC_OCTETS = 16
_MAGIC = b"midair"
_HEADER = struct.Struct(f"!6sBc{SESSION_OCTETS}sQ{MAC_OCTETS}s")
HEADER_OCTETS = _HEADER.size


class Status(IntEnum):
    """The relay's answer, one octet."""

    WAITING = 0x01
    """The header is good; the partner has not come yet."""
    GO = 0x02
    """Both are there: what follows is the partner's."""
    MALFORMED = 0x81
    """That was no header, or one of another version."""
    FORBIDDEN = 0x82
    """The ticket is not this relay's, or not for this session and seat."""
    EXPIRED = 0x83
    """The ticket was good once."""
    TAKEN = 0x84
    """Somebody sits on this seat already, or has shown this ticket before."""
    FULL = 0x85
    """As many pairs as the operator allows are being relayed."""
    ALONE = 0x86
    """The partner did not come in the time that the operator gives."""
    GOING_AWAY = 0x87
    """The relay is being stopped."""
    TOO_MANY = 0x88
    """Too many connections come from this address."""


@dataclass(frozen=True, slots=True)
class RelayHeader:
    """Who wants to be joined, and the proof that it may."""

    session: str
    """32 hexadecimal digits."""
    seat: Seat
    expiry_us: int
    """When the ticket ends, in the rendezvous's clock."""
    mac: bytes
    """16 octets."""


def encode(header: RelayHeader) -> bytes:
    """Encode a header.

    Args:
        header: what to say.

    Returns:
        :data:`HEADER_OCTETS` octets.
    """
    session = bytes.fromhex(header.session)
    if len(session) != SESSION_OCTETS or len(header.mac) != MAC_OCTETS:
        raise ValueError("a relay header has a session and a MAC of 16 octets each")
    return _HEADER.pack(
        _MAGIC, VERSION, header.seat.encode(), session, header.expiry_us, header.mac
    )


def decode(data: bytes) -> RelayHeader:
    """Decode a header.

    Args:
        data: exactly :data:`HEADER_OCTETS` octets.

    Returns:
        The header; whether its ticket is genuine is another question.

    Raises:
        ProtocolError: it is none.
    """
    if len(data) != HEADER_OCTETS:
        raise ProtocolError(f"a relay header has {HEADER_OCTETS} octets")
    magic, version, seat_octet, session, expiry_us, mac = _HEADER.unpack(data)
    if magic != _MAGIC or version != VERSION:
        raise ProtocolError("not a relay header of version 1")
    seat: Seat
    match seat_octet:
        case b"a":
            seat = "a"
        case b"b":
            seat = "b"
        case _:
            raise ProtocolError("a relay header names seat a or b")
    return RelayHeader(session.hex(), seat, expiry_us, mac)


def encode_ticket(header: RelayHeader) -> str:
    """Encode a header as the rendezvous hands it out.

    Args:
        header: what the client is to show.

    Returns:
        64 letters and digits of base64url (RFC 4648 §5; 48 octets need no padding).
    """
    return base64.urlsafe_b64encode(encode(header)).decode("ascii")


def decode_ticket(text: str) -> bytes:
    """Decode what the rendezvous handed out.

    Args:
        text: checked by :data:`rendezvous.protocol.messages.TicketText`.

    Returns:
        The :data:`HEADER_OCTETS` octets to send.
    """
    return base64.urlsafe_b64decode(text)


def decode_status(octet: int) -> Status:
    """Decode one octet of the relay's answer.

    Args:
        octet: 0 to 255.

    Returns:
        What it says.

    Raises:
        ProtocolError: it says nothing that is known.
    """
    try:
        return Status(octet)
    except ValueError:
        raise ProtocolError(f"{octet:#04x} is no answer of a relay") from None

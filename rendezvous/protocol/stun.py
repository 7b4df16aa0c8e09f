"""STUN Binding over TCP (RFC 8489): the codec, no I/O.

A reflector answers a Binding request with the endpoint that it saw the request
come from.  Ours adds a token that proves it; any other STUN server over TCP can
tell a peer its mapping as well, without a token.

::

    type    0x0001 Binding request, 0x0101 success, 0x0111 error

    0x0020  XOR-MAPPED-ADDRESS   0x00, family (1: IPv4, 2: IPv6), port ^ cookie's first
                                 half, address ^ (cookie, then transaction id)
    0x0001  MAPPED-ADDRESS       the same without XOR; read where the other is missing
    0x0009  ERROR-CODE           21 bits 0, 3 bits hundreds, 8 bits the rest, text
    0x000A  UNKNOWN-ATTRIBUTES   16-bit types
    0xC0D0  SESSION              ours, request: the session, ASCII
    0xC0D1  TOKEN                ours, success: the proof of XOR-MAPPED-ADDRESS, ASCII

Header, padding and FINGERPRINT: :mod:`rendezvous.protocol.stun_format`.

Types from 0x8000 are comprehension-optional (RFC 8489 §14): who does not know
SESSION and TOKEN ignores them, so our peers can ask any server and our server
can answer anybody.  0xC000 to 0xFFFF is the half that IANA assigns by expert
review; 0xC0D0 and 0xC0D1 are unassigned there.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import Literal

from rendezvous.protocol.endpoints import Endpoint, EndpointError
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.stun_format import (
    COOKIE,
    MAX_VALUE_OCTETS,
    MESSAGE_INTEGRITY,
    MESSAGE_INTEGRITY_SHA256,
    decode_attributes,
    encode_attribute,
    encode_message,
)
from rendezvous.protocol.stun_format import HEADER_OCTETS as HEADER_OCTETS
from rendezvous.protocol.stun_format import MAX_FRAME_OCTETS as MAX_FRAME_OCTETS
from rendezvous.protocol.stun_format import frame_length as frame_length

MAX_TEXT_OCTETS = MAX_VALUE_OCTETS
"""Of SESSION and TOKEN."""
UNKNOWN_ATTRIBUTE_CODE = 420
SERVER_ERROR_CODE = 500
"""RFC 8489 §14.8: *The client should try again.*"""

Kind = Literal["request", "success", "error"]

_TYPES: dict[int, Kind] = {0x0001: "request", 0x0101: "success", 0x0111: "error"}
_CODES: dict[Kind, int] = {kind: code for code, kind in _TYPES.items()}
_MAPPED_ADDRESS, _XOR_MAPPED_ADDRESS = 0x0001, 0x0020
_ERROR_CODE, _UNKNOWN_ATTRIBUTES = 0x0009, 0x000A
_SESSION, _TOKEN = 0xC0D0, 0xC0D1
_COMPREHENSION_OPTIONAL = 0x8000
# USERNAME, REALM, NONCE, PASSWORD-ALGORITHM and USERHASH belong to authentication, which a
# reflector does not ask for: understood, and ignored.
_UNDERSTOOD = frozenset(
    {_MAPPED_ADDRESS, _XOR_MAPPED_ADDRESS, _ERROR_CODE, _UNKNOWN_ATTRIBUTES}
    | {MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256}
    | {0x0006, 0x0014, 0x0015, 0x001D, 0x001E}
)


@dataclass(frozen=True, slots=True)
class StunMessage:
    """One decoded Binding message."""

    kind: Kind
    transaction_id: bytes
    """12 octets; an answer carries its request's."""
    mapped: Endpoint | None = None
    """Where the server saw the client; set in every success."""
    token: str | None = None
    """Our server's proof of ``mapped``."""
    session: str | None = None
    """The session that the token shall hold for."""
    error_code: int | None = None
    """300 to 699, set in every error."""
    error_reason: str | None = None
    """For a person."""
    unknown: tuple[int, ...] = ()
    """Comprehension-required attributes of a request that we do not know: answer 420."""


def encode_binding_request(transaction_id: bytes, session: str | None = None) -> bytes:
    """Encode a Binding request.

    Args:
        transaction_id: 12 octets, random.
        session: asks for a token of this session; None: the mapping only.

    Returns:
        The message.
    """
    attributes = b"" if session is None else encode_attribute(_SESSION, session.encode("ascii"))
    return encode_message(_CODES["request"], transaction_id, attributes)


def encode_binding_success(
    transaction_id: bytes, mapped: Endpoint, token: str | None = None
) -> bytes:
    """Encode the answer to a Binding request.

    Args:
        transaction_id: the request's.
        mapped: where the request came from.
        token: proof of it, None for a client that named no session.

    Returns:
        The message.
    """
    pad = _pad(transaction_id)
    address = _xor(mapped.ip.packed, pad)
    family = 1 if mapped.family == 4 else 2
    value = struct.pack("!BBH", 0, family, mapped.port ^ COOKIE >> 16) + address
    attributes = encode_attribute(_XOR_MAPPED_ADDRESS, value)
    if token is not None:
        attributes += encode_attribute(_TOKEN, token.encode("ascii"))
    return encode_message(_CODES["success"], transaction_id, attributes)


def encode_binding_error(
    transaction_id: bytes, code: int, reason: str, unknown: tuple[int, ...] = ()
) -> bytes:
    """Encode the refusal of a Binding request.

    Args:
        transaction_id: the request's.
        code: 300 to 699 (RFC 8489 §14.8).
        reason: for a person, at most 124 octets of UTF-8.
        unknown: with code 420, the attributes that were not understood.

    Returns:
        The message.
    """
    value = struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode()
    attributes = encode_attribute(_ERROR_CODE, value)
    if unknown:
        first = unknown[: MAX_TEXT_OCTETS // 2]
        types = struct.pack(f"!{len(first)}H", *first)
        attributes += encode_attribute(_UNKNOWN_ATTRIBUTES, types)
    return encode_message(_CODES["error"], transaction_id, attributes)


def decode(data: bytes) -> StunMessage:
    """Decode one whole Binding message.

    Args:
        data: exactly one message, as long as :func:`frame_length` says.

    Returns:
        The message; in a success ``mapped`` is set, in an error ``error_code``.

    Raises:
        ProtocolError: it is not a Binding message, or breaks the format.
    """
    if frame_length(data) != len(data):
        raise ProtocolError("the STUN message has another length than it says")
    (message_type,) = struct.unpack_from("!H", data)
    kind = _TYPES.get(message_type)
    if kind is None:
        raise ProtocolError(f"STUN message type {message_type:#06x} is not Binding")
    transaction_id = bytes(data[8:HEADER_OCTETS])
    attributes = decode_attributes(data)
    unknown = tuple(
        sorted(t for t in attributes if t < _COMPREHENSION_OPTIONAL and t not in _UNDERSTOOD)
    )
    if kind == "request":
        session = _text(attributes.get(_SESSION))
        return StunMessage(kind, transaction_id, session=session, unknown=unknown)
    # RFC 8489 §6.3.3, §6.3.4: such an answer MUST be discarded, the transaction has failed.
    if unknown:
        raise ProtocolError(f"STUN attribute {unknown[0]:#06x} is not understood")
    if kind == "success":
        mapped = _mapped(attributes, transaction_id)
        return StunMessage(kind, transaction_id, mapped, _text(attributes.get(_TOKEN)))
    code, reason = _error(attributes)
    return StunMessage(kind, transaction_id, error_code=code, error_reason=reason)


def _mapped(attributes: dict[int, bytes], transaction_id: bytes) -> Endpoint:
    if (value := attributes.get(_XOR_MAPPED_ADDRESS)) is not None:
        pad = _pad(transaction_id)
    elif (value := attributes.get(_MAPPED_ADDRESS)) is not None:
        pad = bytes(16)
    else:
        raise ProtocolError("a STUN success without a mapped address")
    if len(value) < 4 or (value[1], len(value)) not in ((1, 8), (2, 20)):
        raise ProtocolError("a STUN address of an unknown family or length")
    port = int.from_bytes(_xor(value[2:4], pad))
    try:
        return Endpoint.of(str(ipaddress.ip_address(_xor(value[4:], pad))), port)
    except EndpointError as error:
        raise ProtocolError(f"a STUN address that is none: {error}") from None


def _error(attributes: dict[int, bytes]) -> tuple[int, str]:
    value = attributes.get(_ERROR_CODE, b"")
    if len(value) < 4 or not 3 <= value[2] & 0x07 <= 6 or value[3] > 99:
        raise ProtocolError("a STUN error without an error code")
    return (value[2] & 0x07) * 100 + value[3], value[4:].decode(errors="replace")


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    if len(value) > MAX_TEXT_OCTETS or not all(0x21 <= octet <= 0x7E for octet in value):
        raise ProtocolError("a STUN attribute of ours that is not plain ASCII")
    return value.decode("ascii")


def _pad(transaction_id: bytes) -> bytes:
    return struct.pack("!I", COOKIE) + transaction_id


def _xor(value: bytes, pad: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(value, pad, strict=False))

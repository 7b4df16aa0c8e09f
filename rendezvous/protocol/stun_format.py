"""The format of STUN messages over TCP (RFC 8489 §5, §14): header and attributes, no I/O.

Not for what they say: :mod:`rendezvous.protocol.stun`.

::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---+---------------------------+-------------------------------+
    |0 0|       message type        |   length without this header  |
    +---+---------------------------+-------------------------------+
    |                   magic cookie  0x2112A442                    |
    +---------------------------------------------------------------+
    |                 transaction id, 12 octets …                   |
    +-------------------------------+-------------------------------+
    |        attribute type         |   length without the padding  |
    +-------------------------------+-------------------------------+
    |              value, padded to a multiple of 4 …               |
    +---------------------------------------------------------------+

    0x8028  FINGERPRINT          CRC-32 ^ 0x5354554E; checked where present
"""

from __future__ import annotations

import struct
import zlib

from rendezvous.protocol.errors import ProtocolError

HEADER_OCTETS = 20
MAX_FRAME_OCTETS = 1024
"""A stream needs a limit; the longest Binding message of ours has 180 octets."""
MAX_VALUE_OCTETS = 128
"""Of an attribute that is sent."""
COOKIE = 0x2112A442
MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256 = 0x0008, 0x001C
_FINGERPRINT, _FINGERPRINT_XOR = 0x8028, 0x5354554E
_TRANSACTION_OCTETS = 12


def frame_length(header: bytes) -> int:
    """Tell how long the message is that starts with this header.

    Args:
        header: at least the first 20 octets of a stream's next message.

    Returns:
        Octets, header included: 20 to 1024, a multiple of 4.

    Raises:
        ProtocolError: this is not STUN, or longer than any message of ours.
    """
    if len(header) < HEADER_OCTETS:
        raise ProtocolError("a STUN header has 20 octets")
    message_type, cookie = struct.unpack_from("!HxxI", header)
    length = int.from_bytes(header[2:4])
    # "The most significant 2 bits of every STUN message MUST be zeroes."
    if message_type & 0xC000 or cookie != COOKIE or length % 4:
        raise ProtocolError("not a STUN message")
    if HEADER_OCTETS + length > MAX_FRAME_OCTETS:
        raise ProtocolError(f"a STUN message of {length} octets is too long")
    return HEADER_OCTETS + length


def encode_message(message_type: int, transaction_id: bytes, attributes: bytes) -> bytes:
    """Put a message together.

    Args:
        message_type: 16 bits.
        transaction_id: 12 octets.
        attributes: each of :func:`encode_attribute`.

    Returns:
        The message.
    """
    if len(transaction_id) != _TRANSACTION_OCTETS:
        raise ValueError("a STUN transaction id has 12 octets")
    header = struct.pack("!HHI", message_type, len(attributes), COOKIE)
    return header + transaction_id + attributes


def encode_attribute(attribute_type: int, value: bytes) -> bytes:
    """Encode one attribute.

    Args:
        attribute_type: 16 bits.
        value: at most :data:`MAX_VALUE_OCTETS`.

    Returns:
        Its octets, padded.
    """
    if len(value) > MAX_VALUE_OCTETS:
        raise ValueError(f"STUN attribute of {len(value)} octets")
    return struct.pack("!HH", attribute_type, len(value)) + value + bytes(-len(value) % 4)


def decode_attributes(data: bytes) -> dict[int, bytes]:
    """Decode the attributes of one whole message.

    Args:
        data: exactly one message, as long as :func:`frame_length` says.

    Returns:
        Values by type; of equal types the first.

    Raises:
        ProtocolError: it breaks the format, or FINGERPRINT does not match.
    """
    found: dict[int, bytes] = {}
    sealed = False
    position = HEADER_OCTETS
    while position < len(data):
        if _FINGERPRINT in found:
            raise ProtocolError("FINGERPRINT is not the last STUN attribute")
        # Every length is a multiple of 4, so a whole attribute header is always left.
        attribute_type, length = struct.unpack_from("!HH", data, position)
        value = data[position + 4 : position + 4 + length]
        if len(value) < length:
            raise ProtocolError("a STUN attribute is cut off")
        if attribute_type == _FINGERPRINT:
            _check_fingerprint(data[:position], value)
        # RFC 8489 §14.5: what follows MESSAGE-INTEGRITY is ignored, but these.
        if not sealed or attribute_type in (MESSAGE_INTEGRITY_SHA256, _FINGERPRINT):
            # RFC 8489 §14: "only the first occurrence needs to be processed".
            found.setdefault(attribute_type, bytes(value))
        sealed = sealed or attribute_type in (MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256)
        position += 4 + length + -length % 4
    return found


def _check_fingerprint(before: bytes, value: bytes) -> None:
    if value != struct.pack("!I", zlib.crc32(before) ^ _FINGERPRINT_XOR):
        raise ProtocolError("the STUN FINGERPRINT does not match")

"""NTP packets on the wire: ntplib's packet class as the codec.

ntplib turns timestamps into floats, which hold about half a microsecond of
today.  Everything else of the header is taken from it, but the timestamps are
cut out of the same bytes as the 64-bit integers that they are.

The request is the minimum of draft-ietf-ntp-data-minimization:
all zero but version, mode and the transmit timestamp, which is 64 random bits.
They tell a server nothing of our clock, and only who saw the request can
answer it; T1 stays here.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction

from ntplib import NTPException, NTPPacket  # type: ignore[import-untyped]

from peer.core.ntp_reply import Reply
from rendezvous.protocol.times import NS_PER_S

VERSION = 4
MODE_CLIENT = 3
_TIMESTAMPS = struct.Struct("!24x3Q")
"""Origin, receive and transmit timestamp: octets 24 to 47 (RFC 5905, figure 8)."""


def encode_request(origin: int) -> bytes:
    """Build a client's request.

    Args:
        origin: the transmit timestamp, any 64 bits but zero.

    Returns:
        48 octets.
    """
    # A fraction goes through ntplib's arithmetic exactly, where a float would lose 11 bits.
    packet = NTPPacket(version=VERSION, mode=MODE_CLIENT, tx_timestamp=Fraction(origin, 1 << 32))
    data: bytes = packet.to_data()
    return data


def decode_reply(data: bytes) -> Reply:
    """Read an answer.

    Args:
        data: a datagram; anything after the header (extensions, MAC) is ignored.

    Returns:
        The header, unjudged.

    Raises:
        ValueError: if it is too short to be one.
    """
    packet = NTPPacket()
    try:
        packet.from_data(data)
        origin, received, sent = _TIMESTAMPS.unpack_from(data)
    except (NTPException, struct.error) as error:
        raise ValueError(f"not an NTP packet: {len(data)} octets") from error
    return Reply(
        leap=packet.leap,
        mode=packet.mode,
        stratum=packet.stratum,
        precision=packet.precision,
        root_delay_ns=_nanoseconds(packet.root_delay),
        root_dispersion_ns=_nanoseconds(packet.root_dispersion),
        reference=packet.ref_id.to_bytes(4, "big"),
        origin=origin,
        received=received,
        sent=sent,
    )


def _nanoseconds(seconds: float) -> int:
    """Round a duration up: it is part of a bound. 16 bits of each part fit a float exactly."""
    return math.ceil(Fraction(seconds) * NS_PER_S)

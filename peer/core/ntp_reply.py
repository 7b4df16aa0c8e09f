"""What an NTP server answered, and whether it may be used.

Reference: RFC 5905 §7.3 (header), §7.4 (kiss-o'-death), A.5.1.1 (sanity).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from peer.core.times import UtcNs
from rendezvous.protocol.times import NS_PER_S

MAX_DISTANCE_NS = 3 * NS_PER_S // 2
"""Root distance from which a server is of no use: ntpd's ``tos maxdist``, 1.5 s (RFC 5905: 1 s)."""
MODE_SERVER = 4
LEAP_UNSYNCHRONISED = 3
STRATUM_KISS = 0
STRATUM_MAX = 15
"""RFC 5905 §7.3: 16 is unsynchronised, more is reserved."""

_UNIX_EPOCH_S = 2_208_988_800
"""1970-01-01 in seconds since 1900-01-01 (RFC 5905, figure 4)."""
_ERA_S = 1 << 32


@dataclass(frozen=True, slots=True)
class Reply:
    """The header of one answer, in integers."""

    leap: int
    mode: int
    stratum: int
    precision: int
    """How fine the server reads its clock: a power of two, in seconds."""
    root_delay_ns: int
    root_dispersion_ns: int
    reference: bytes
    """Four octets: at stratum 0 the kiss code, if any (RFC 5905 §7.4)."""
    origin: int
    """64 bits: the transmit timestamp of the request that is answered."""
    received: int
    """T2, an NTP timestamp of 64 bits."""
    sent: int
    """T3, an NTP timestamp of 64 bits."""

    @property
    def root_distance_ns(self) -> int:
        """How wrong the server's clock may be, as it says itself, and how coarsely it is read.

        RFC 5905 §11.2 (half the root delay, the root dispersion) and §8 (a
        sample's dispersion starts with the precision).
        """
        return self.root_delay_ns // 2 + 1 + self.root_dispersion_ns + _precision_ns(self.precision)

    @property
    def kiss(self) -> str:
        """The kiss code as text."""
        return self.reference.rstrip(b"\0").decode("ascii", "backslashreplace")


def refusal(reply: Reply, origins: Collection[int]) -> str | None:
    """Say why an answer may not be used.

    Args:
        reply: the answer.
        origins: transmit timestamps of our requests that wait for an answer.

    Returns:
        None if the answer is sound, else the reason in words.
    """
    if reply.origin not in origins:
        return "answer to a request that was not made"
    if reply.mode != MODE_SERVER:
        return f"not a server's answer (mode {reply.mode})"
    if reply.stratum == STRATUM_KISS and reply.kiss:
        return f"kiss-o'-death {reply.kiss}"
    # chrony, when it knows no time yet, sends stratum 0 and no kiss code.
    if reply.leap == LEAP_UNSYNCHRONISED or not 1 <= reply.stratum <= STRATUM_MAX:
        return "the server's own clock is not synchronised"
    if reply.root_distance_ns >= MAX_DISTANCE_NS:
        return f"the server's own clock may be {reply.root_distance_ns / NS_PER_S:.1f} s wrong"
    if reply.sent == 0 or reply.received == 0:
        return "no timestamps"
    if utc_ns(reply.sent) < utc_ns(reply.received):
        return "sent before the request was received"
    return None


def utc_ns(timestamp: int) -> UtcNs:
    """Convert an NTP timestamp, without looking at any clock.

    Args:
        timestamp: 32 bits of seconds since 1900, 32 bits of fraction.

    Returns:
        Nanoseconds of POSIX time, to the nearest. The era is RFC 4330 §3's: with
        the first bit set 1968 to 2036, else 2036 to 2104.
    """
    seconds, fraction = timestamp >> 32, timestamp & 0xFFFFFFFF
    if not seconds >> 31:
        seconds += _ERA_S
    nanoseconds = (fraction * NS_PER_S + (1 << 31)) >> 32
    return UtcNs((seconds - _UNIX_EPOCH_S) * NS_PER_S + nanoseconds)


def _precision_ns(exponent: int) -> int:
    if exponent >= 0:
        return NS_PER_S << exponent
    return -(-NS_PER_S >> -exponent)

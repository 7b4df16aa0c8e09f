"""Meetings without a server: what both sides find out alone, from a clock and a secret.

Theory of operation
-------------------

*By time.*  Two people agree an instant and a port.  Everything else follows from
what both know: the session's number is a hash of the instant and the two ports.

*By secret.*  UTC is cut into buckets of 15 seconds, counted from 1970, and each
bucket has one meeting.  From the bucket's number and the secret both sides derive
its instant and its ports (HKDF), so that nobody else knows them beforehand, and no
bucket's meeting has the ports of the one before::

    bucket b      |<------------------------ 15 s ------------------------>|
    instant       |<-- 0 to 4 s -->*
    attempt                        |<---- 5 s ---->|<- 2 s ->|
    may join                       |<- 3 s ->|

A peer goes to the first meeting that has not been over for longer than 3 s: the
other side, if it is there, fires again until the 5 s have passed.  So two peers
whose clocks disagree about a bucket's edge, or of which one came too late, miss at
most one meeting: both go to the next one, at which neither is late.  Clocks that are
a second wrong each still leave them the rest of the 5 s.

*A wrong secret* must be found out, and not end in silence.  If all of a meeting
depended on the secret, two hosts with different ones would never hear of each other.
So one port of the four is open to everybody's knowledge: it depends on the bucket
alone.  The instants of one bucket are at most 4 s apart, attempts last 5 s: two hosts
with different secrets connect on that port, and neither can prove the other's.  A
third host can know that port, too; it cannot use it, since only SYNs from the partner's
own address and port get through, and it would not know the other three.

*Roles.*  Nobody has appointed an initiator: the greeting finds it, see
:func:`peer.core.proof.role_of`.

Reference: RFC 6238 for buckets of time, RFC 5869 for the derivation.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from peer.core.secret import NO_SECRET, Secret
from rendezvous.protocol.endpoints import Endpoint, Family
from rendezvous.protocol.messages import Appointment, Pair
from rendezvous.protocol.planner import DEADLINE_US, appoint
from rendezvous.protocol.times import US_PER_S

BUCKET_US = 15 * US_PER_S
"""An attempt, the race after it, and as long again to get ready, for the peer that came last."""
SPREAD_US = 4 * US_PER_S
"""A bucket's instant lies within so much of its start: less than an attempt, so that the attempts
of different secrets overlap."""
JOIN_US = 3 * US_PER_S
"""How long after its instant a meeting may still be joined; 2 s of the partner's attempt are left,
for two clocks that are a second wrong each."""
MAX_BOUND_US = US_PER_S
"""A clock that may be further off is no clock to meet by."""
MINUTE_US = 60 * US_PER_S
MINUTES = 2
"""``--at next`` goes to so many: one side may have started just before a full minute and the other
one just after it."""
LEAD_US = US_PER_S
"""A full minute that is nearer than this is not the next one."""
FIRST_PORT = 16_384
"""Ports are from here to 32767: 14 bits, below Linux's ephemeral range (32768 and up), so that
neither host's kernel hands them out by itself."""
LAST_PORT = 32_767
_PORT_BITS = 0x3FFF
SECRET_PORTS = 3
"""Beside the one that depends on the bucket alone."""
_WORDS = 16
"""Words of the derivation that ports are taken from; so many that some are always unlike."""
_OF_BUCKET = b"midair/1 meet bucket"
_OF_TIME = b"midair/1 meet time"
_PROOF = b"midair/1 meet proof"


@dataclass(frozen=True, slots=True)
class Meeting:
    """One instant at which both sides fire, and what they must agree about it."""

    instant_us: int
    """UTC."""
    lasts_us: int
    """From the instant to the last shot."""
    session: bytes
    """16 bytes that the greeting names; no secret."""
    key: bytes = field(repr=False)
    """Of the proofs: 32 bytes."""
    ports: tuple[tuple[int, int], ...]
    """Local and remote port of each pair."""


def at_time(instant_us: int, local_port: int, remote_port: int, secret: Secret) -> Meeting:
    """Make the meeting that two people have agreed on.

    Args:
        instant_us: UTC.
        local_port: this side's.
        remote_port: the other side's, whose command line has the two the other way round.
        secret: :data:`NO_SECRET` where they have none.

    Returns:
        The meeting. There is only one, so it lasts as long as an attempt may.
    """
    ports = sorted((local_port, remote_port))
    public = hashlib.sha256(_OF_TIME + struct.pack("!qHH", instant_us, *ports)).digest()
    return _meeting(public[:16], secret, instant_us, DEADLINE_US[-1], ((local_port, remote_port),))


def in_bucket(bucket: int, secret: Secret) -> Meeting:
    """Derive the meeting of a bucket.

    Args:
        bucket: its number, from 0.
        secret: of both sides.

    Returns:
        The meeting; the port of its first pair is the one that does not depend on the secret.
    """
    label = _OF_BUCKET + struct.pack("!Q", bucket)
    public = hashlib.sha256(label).digest()
    offset, *words = struct.unpack(f"!Q{_WORDS}H", secret.derive(label, 8 + 2 * _WORDS))
    (open_word,) = struct.unpack_from("!H", public, 16)
    # A dictionary keeps the order and drops what comes twice.
    numbers = dict.fromkeys(FIRST_PORT + (word & _PORT_BITS) for word in (open_word, *words))
    return _meeting(
        public[:16],
        secret,
        bucket * BUCKET_US + offset % SPREAD_US,
        DEADLINE_US[0],
        tuple((port, port) for port in list(numbers)[: 1 + SECRET_PORTS]),
    )


def _meeting(
    session: bytes,
    secret: Secret,
    instant_us: int,
    lasts_us: int,
    ports: tuple[tuple[int, int], ...],
) -> Meeting:
    key = secret.derive(_PROOF + session, 32)
    return Meeting(instant_us, lasts_us, session, key, ports)


class Schedule(Protocol):
    """Which meeting comes next."""

    @property
    def secret(self) -> Secret:
        """What the meetings are proven with."""
        ...

    def next(self, now_us: int, last: Meeting | None) -> Meeting | None:
        """Return the next meeting that can be kept.

        Args:
            now_us: UTC.
            last: the one that was missed; None: there was none yet.

        Returns:
            A later one, or None when there is no other.
        """
        ...


@dataclass(frozen=True, slots=True)
class ByTime:
    """At instants that were agreed, on one port."""

    instants_us: tuple[int, ...]
    """UTC, in order."""
    local_port: int
    remote_port: int
    secret: Secret = NO_SECRET

    def next(self, now_us: int, last: Meeting | None) -> Meeting | None:
        """Return the first meeting after the last one that may still be joined."""
        for instant_us in self.instants_us:
            if now_us < instant_us + JOIN_US and (last is None or instant_us > last.instant_us):
                return at_time(instant_us, self.local_port, self.remote_port, self.secret)
        return None


@dataclass(frozen=True, slots=True)
class BySecret:
    """In every bucket, on ports that the secret gives."""

    secret: Secret

    def next(self, now_us: int, last: Meeting | None) -> Meeting:
        """Return the first meeting after the last one that may still be joined."""
        bucket = max(0, now_us // BUCKET_US)
        while True:
            meeting = in_bucket(bucket, self.secret)
            late = now_us >= meeting.instant_us + JOIN_US
            if not late and (last is None or meeting.instant_us > last.instant_us):
                return meeting
            bucket += 1


def next_minutes(now_us: int) -> tuple[int, ...]:
    """Return the full minutes that ``--at next`` means.

    Args:
        now_us: UTC.

    Returns:
        Instants; the first is at least :data:`LEAD_US` ahead.
    """
    first_us = -(-(now_us + LEAD_US) // MINUTE_US) * MINUTE_US
    return tuple(first_us + number * MINUTE_US for number in range(MINUTES))


def appointment(
    meeting: Meeting, addresses: Mapping[Family, str], claimed: Collection[tuple[Family, int]]
) -> Appointment:
    """Plan the volley of a meeting.

    The numbers of the pairs do not depend on which addresses this side knows, nor on which
    ports it could claim: the partner's are the same.

    Args:
        meeting: which.
        addresses: the partner's, at most one of each family.
        claimed: family and index of each local port that this host has.

    Returns:
        The appointment, as the planner would write it. Its role means nothing.
    """
    count = len(meeting.ports)
    pairs = [
        Pair(
            pair=index + (count if family == 6 else 0),
            port_index=index,
            family=family,
            remote=str(Endpoint.of(addresses[family], meeting.ports[index][1])),
        )
        for family, index in sorted(claimed)
    ]
    return appoint(
        "initiator",
        1,
        tuple(pairs),
        timescale="utc",
        instant_us=meeting.instant_us,
        lasts_us=meeting.lasts_us,
    )

"""Everything a user can set, once, as one frozen value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from peer.core.code import DEFAULT_WORDS
from rendezvous.protocol.times import NS_PER_S

DEFAULT_NTP = ("0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org", "3.pool.ntp.org")
"""Four servers: the fewest that outvote one falseticker (RFC 8633 §3.2)."""
NTP_PORT = 123
"""RFC 5905 §7.2."""
PAIR_PORTS = 4
"""Local ports of an attempt: parallel pairs beat a lost SYN, whose retransmission takes 1 s."""
CONNECT_TIMEOUT_NS = 30 * NS_PER_S
"""From the partner's arrival to a connection; three attempts fit."""


MAX_TIMEOUT_S = 7 * 86_400
"""A week; also what an event loop can count in without overflow."""


def timeout_ns(timeout_s: float) -> int:
    """Turn the user's seconds into a duration.

    Args:
        timeout_s: more than 0, up to :data:`MAX_TIMEOUT_S`.

    Returns:
        Nanoseconds, at least one.

    Raises:
        ValueError: it is another number, or none (NaN).
    """
    if not 0 < timeout_s <= MAX_TIMEOUT_S:  # holds for NaN, too
        raise ValueError(f"{timeout_s} is not a number of seconds above 0, up to {MAX_TIMEOUT_S}")
    return max(1, int(timeout_s * NS_PER_S))


def check_ntp(servers: Sequence[str]) -> None:
    """Check the form of NTP servers; nobody is asked.

    Args:
        servers: ``HOST[:PORT]``.

    Raises:
        ValueError: one has another form, or port 0.
    """
    from rendezvous.protocol.endpoints import split_host_port

    for server in servers:
        if split_host_port(server, NTP_PORT)[1] == 0:
            raise ValueError(f"{server!r}: '0' is not a port")


RelayPolicy = Literal["auto", "never", "only"]
"""The contract's own, which the command line does not load for ``--help``."""
RELAY_POLICIES: tuple[RelayPolicy, ...] = get_args(RelayPolicy)


@dataclass(frozen=True, slots=True)
class TestHooks:
    """Wrong on purpose, for experiments; set by ``MIDAIR_TEST_*`` variables only."""

    __test__ = False  # not a test class, whatever its name

    skew_ns: int = 0
    """``MIDAIR_TEST_SKEW_MS``: added to the instant of every appointment on this peer."""
    lead_ns: int = 0
    """``MIDAIR_TEST_LEAD_MS``: how much later than necessary the instant shall be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one peer."""

    rendezvous: str
    """URL of the rendezvous, http or https."""
    ntp: tuple[str, ...] = DEFAULT_NTP
    """NTP servers, ``HOST[:PORT]``; empty: only the rendezvous's clock is used."""
    local_port: int | None = None
    """First of :data:`PAIR_PORTS` local ports; None: random ones."""
    timeout_ns: int | None = None
    """Most that waiting for the partner may take, and again that connecting may take; None: no
    limit while waiting, :data:`CONNECT_TIMEOUT_NS` from the partner's arrival on."""
    words: int = DEFAULT_WORDS
    """Of a code that is made."""
    hooks: TestHooks = field(default_factory=TestHooks)
    relay: RelayPolicy = "auto"
    """Where no path opens; never; or ``only``, without trying for a path."""


@dataclass(frozen=True, slots=True)
class MeetSettings:
    """The settings of one peer that meets its partner without a rendezvous."""

    host: str
    """The partner: a name or an address."""
    secret: bytes = field(repr=False)
    """What both sides have, see :mod:`peer.core.secret`; empty: nothing."""
    at_us: int | None = None
    """UTC; None: see ``at_next``."""
    at_next: bool = False
    """At the next full minute. Neither: whenever the secret says."""
    zone_s: int = 0
    """Seconds east of UTC, for instants that are shown."""
    port: int = 0
    """The local port of a meeting by time; 0: of one by secret."""
    remote_port: int = 0
    """The partner's, likewise."""
    ntp: tuple[str, ...] = DEFAULT_NTP
    timeout_ns: int | None = None
    """Most that all of it may take; None: no limit."""
    hooks: TestHooks = field(default_factory=TestHooks)


@dataclass(frozen=True, slots=True)
class DoctorSettings:
    """What a host is examined with."""

    rendezvous: str | None = None
    """Its reflectors say how this host is seen, and its clock is compared."""
    reflectors: tuple[str, ...] = ()
    """``HOST:PORT`` of STUN servers over TCP, instead of the rendezvous's."""
    ntp: tuple[str, ...] = DEFAULT_NTP
    local_port: int | None = None
    """First of the ports that the user means to use."""

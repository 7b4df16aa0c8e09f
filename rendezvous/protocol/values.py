"""What messages are made of: numbers and words with their limits, reports and appointments.

Offsets are ``server - local`` (RFC 5905's theta, positive where the local
clock is behind) and never travel without their bound.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt

from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.reasons import Reason

PROTOCOL_VERSION = 1
MAX_POLL_US = 25_000_000
"""The longest a server parks a request (proxies commonly cut at 30 s or 60 s)."""
MAX_PAIRS = 16
"""The most port pairs of one appointment, both families together."""
MAX_ATTEMPTS = 16
MAX_OFFSET_US = 100 * 366 * 86_400 * 1_000_000
"""A century: a clock that is further off is no clock, and sums of offsets stay exact."""
MAX_MEASURED_US = 10_000_000
"""Ten seconds, in which a report is stale: of a slower path or a wider bound nothing follows."""


def _canonical_endpoint(text: str) -> str:
    return str(Endpoint.parse(text))


EndpointText = Annotated[str, Field(max_length=64), AfterValidator(_canonical_endpoint)]
Nameplate = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$")]
SessionId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
SeatSecret = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PakeText = Annotated[str, Field(pattern=r"^[0-9a-f]{66}$")]
"""The 33 octets that one peer sends to the other in their key exchange."""
Octets32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
TicketText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{64}$")]
"""The 48 octets of a relay's header in base64url, see :mod:`rendezvous.protocol.relay`."""
Microseconds = Annotated[int, Field(strict=True, ge=-(2**53) + 1, le=2**53 - 1)]
Duration = Annotated[int, Field(strict=True, ge=0, le=86_400_000_000)]
Measured = Annotated[int, Field(strict=True, ge=0, le=MAX_MEASURED_US)]
ClockOffset = Annotated[int, Field(strict=True, ge=-MAX_OFFSET_US, le=MAX_OFFSET_US)]
AttemptNumber = Annotated[int, Field(strict=True, ge=1, le=MAX_ATTEMPTS)]
Seat = Literal["a", "b"]
Role = Literal["initiator", "responder"]
Timescale = Literal["utc", "rendezvous"]
RelayPolicy = Literal["auto", "never", "only"]
"""What a peer thinks of a relay: where no path opens, not at all, or without trying for a path."""


class Wire(BaseModel):
    """Shared settings: immutable, unknown keys ignored.

    Numbers and truth values are strict, each by its own type below: ``"5"``,
    ``5.0`` and ``1`` for ``true`` are refused.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Wire):
    """A top-level message."""

    version: Annotated[StrictInt, Field(json_schema_extra={"const": PROTOCOL_VERSION})]
    """The protocol version of the sender.  Another one is no malformed message: it is answered
    in words, so that only the description knows that it must be :data:`PROTOCOL_VERSION`."""


class MappingBehaviour(StrEnum):
    """How a NAT chooses the mapped endpoint (RFC 4787 §4.1, RFC 5382 REQ-1)."""

    ENDPOINT_INDEPENDENT = "endpoint_independent"
    ADDRESS_DEPENDENT = "address_dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address_and_port_dependent"
    UNKNOWN = "unknown"


class CandidateKind(StrEnum):
    """Where a candidate comes from (RFC 8445 §4, RFC 6544)."""

    HOST = "host"
    SRFLX = "srflx"


class Offset(Wire):
    """A clock's offset, ``server - local``, with the most that it can be wrong."""

    offset_us: ClockOffset
    bound_us: Measured


class Candidate(Wire):
    """An endpoint that a peer can be reached at."""

    kind: CandidateKind
    port_index: Annotated[int, Field(strict=True, ge=0, lt=MAX_PAIRS)]
    """Which of the peer's local ports this is; equal indices form a pair."""
    endpoint: EndpointText
    token: Annotated[str, Field(max_length=128)] | None = None
    """The reflector's proof that the peer was seen there; None on private host candidates."""


class AttemptResult(Wire):
    """What became of the attempt before."""

    attempt: AttemptNumber
    reason: Reason
    shots: Annotated[int, Field(strict=True, ge=0)]
    refusals: Annotated[int, Field(strict=True, ge=0)]


class Identity(Wire):
    """Whose certificate a peer's connections show, proven by the key that only both peers have.

    The rendezvous passes it on: it can neither check nor make one.
    """

    certificate: Octets32
    """SHA-256 of the certificate in DER."""
    proof: Octets32


class Report(Wire):
    """What a peer knows of itself, learned afresh for this attempt."""

    ntp: Offset | None
    """UTC against this peer's clock; None when no NTP server answered."""
    rendezvous: Offset
    """The rendezvous's clock against this peer's clock."""
    rtt_us: Measured
    """Minimum round trip to the rendezvous."""
    jitter_us: Measured
    """Mean deviation of the round trips from their mean."""
    prepare_us: Measured
    """How long the peer needs between reading an appointment and firing."""
    mapping: MappingBehaviour
    preserves_port: StrictBool | None
    candidates: Annotated[tuple[Candidate, ...], Field(max_length=2 * MAX_PAIRS)]
    previous: AttemptResult | None = None
    identity: Identity | None = None
    """For the partner."""


class Pair(Wire):
    """One local port of this peer and the remote endpoint to fire at."""

    pair: Annotated[int, Field(strict=True, ge=0, lt=MAX_PAIRS)]
    """The pair's number, the same for both peers."""
    port_index: Annotated[int, Field(strict=True, ge=0, lt=MAX_PAIRS)]
    family: Literal[4, 6]
    remote: EndpointText
    own: EndpointText | None = None
    """This peer's endpoint, as its partner is told it: so both can hash one plan."""


class Appointment(Wire):
    """The immutable plan of one attempt, as one of the two peers sees it."""

    attempt: AttemptNumber
    role: Role
    timescale: Timescale
    """The clock that the instants below are in."""
    instant_us: Microseconds
    deadline_us: Microseconds
    strategy: Literal["paired"]
    """``paired``: the peers' ports of equal index fire at each other."""
    crossing: Literal["unknown"]
    """Whether the SYNs will cross is known only afterwards, from the round trip."""
    syn_budget: Annotated[int, Field(strict=True, ge=1)]
    """Can only lower the peer's own ceiling."""
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1, max_length=MAX_PAIRS)]
    partner: Identity | None = None
    """As the partner's report for this attempt had it."""


class Verdict(Wire):
    """Why there is no appointment."""

    reason: Reason
    who: Literal["you", "partner", "both"]

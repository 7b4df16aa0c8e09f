"""Every HTTP message, as pydantic models: wrong types refused, unknown keys ignored.

=======  ==============================================  ====================================
method   path                                            request -> response
=======  ==============================================  ====================================
POST     ``/v1/sessions``                                OpenRequest -> Seated (201)
POST     ``/v1/sessions/{nameplate}/join``               JoinRequest -> Seated
POST     ``/v1/sessions/{nameplate}/wait``               WaitRequest -> WaitResponse
POST     ``/v1/sessions/{nameplate}/attempts/{attempt}`` AttemptRequest -> AttemptResponse
POST     ``/v1/sessions/{nameplate}/leave``              LeaveRequest -> 204
GET      ``/v1/time``                                    -> TimeResponse
=======  ==============================================  ====================================

Every request after the first carries the whole seat (nameplate, session, seat,
secret): a server that was restarted makes the seat again from them.  Every
request may be sent again: the answer is the same.

What they are made of stands in :mod:`rendezvous.protocol.values`, and is imported from here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool

from rendezvous.protocol.reasons import Reason as Reason
from rendezvous.protocol.values import MAX_ATTEMPTS as MAX_ATTEMPTS
from rendezvous.protocol.values import MAX_MEASURED_US as MAX_MEASURED_US
from rendezvous.protocol.values import MAX_OFFSET_US as MAX_OFFSET_US
from rendezvous.protocol.values import MAX_PAIRS as MAX_PAIRS
from rendezvous.protocol.values import MAX_POLL_US as MAX_POLL_US
from rendezvous.protocol.values import PROTOCOL_VERSION as PROTOCOL_VERSION
from rendezvous.protocol.values import Appointment as Appointment
from rendezvous.protocol.values import AttemptNumber as AttemptNumber
from rendezvous.protocol.values import AttemptResult as AttemptResult
from rendezvous.protocol.values import Candidate as Candidate
from rendezvous.protocol.values import CandidateKind as CandidateKind
from rendezvous.protocol.values import ClockOffset as ClockOffset
from rendezvous.protocol.values import Duration as Duration
from rendezvous.protocol.values import EndpointText as EndpointText
from rendezvous.protocol.values import Identity as Identity
from rendezvous.protocol.values import MappingBehaviour as MappingBehaviour
from rendezvous.protocol.values import Measured as Measured
from rendezvous.protocol.values import Message as Message
from rendezvous.protocol.values import Microseconds as Microseconds
from rendezvous.protocol.values import Nameplate as Nameplate
from rendezvous.protocol.values import Octets32 as Octets32
from rendezvous.protocol.values import Offset as Offset
from rendezvous.protocol.values import Pair as Pair
from rendezvous.protocol.values import PakeText as PakeText
from rendezvous.protocol.values import RelayPolicy as RelayPolicy
from rendezvous.protocol.values import Report as Report
from rendezvous.protocol.values import Role as Role
from rendezvous.protocol.values import Seat as Seat
from rendezvous.protocol.values import SeatSecret as SeatSecret
from rendezvous.protocol.values import SessionId as SessionId
from rendezvous.protocol.values import TicketText as TicketText
from rendezvous.protocol.values import Timescale as Timescale
from rendezvous.protocol.values import Verdict as Verdict
from rendezvous.protocol.values import Wire as Wire


class OpenRequest(Message):
    """Open a session and take its first seat."""

    secret: SeatSecret
    nameplate: Nameplate | None = None
    """The number of a code that both users have agreed on; None: the server draws one."""
    pake: PakeText | None = None
    """None: the seat sends it with a later request, or the peers exchange no key here."""
    relay: RelayPolicy | None = None
    """None: as never; the peer knows no relay."""


class JoinRequest(Message):
    """Take the second seat."""

    secret: SeatSecret
    pake: PakeText | None = None
    relay: RelayPolicy | None = None
    wait_us: Annotated[int, Field(strict=True, ge=0, le=MAX_POLL_US)] = 0
    """How long to wait until somebody waits here: with a secret either peer may be first."""


class SeatedRequest(Message):
    """The part that every later request has: the whole seat."""

    session: SessionId
    seat: Seat
    secret: SeatSecret
    pake: PakeText | None = None
    """Always the same: of each seat only the first is ever passed on."""
    relay: RelayPolicy | None = None
    """Always the same, for a server that was restarted."""


class WaitRequest(SeatedRequest):
    """Wait until the partner has taken the other seat."""

    wait_us: Annotated[int, Field(strict=True, ge=0, le=MAX_POLL_US)]


class AttemptRequest(SeatedRequest):
    """Hand in the report for an attempt; wait for its appointment."""

    wait_us: Annotated[int, Field(strict=True, ge=0, le=MAX_POLL_US)]
    report: Report


class LeaveRequest(SeatedRequest):
    """Give the seat up; the partner hears the reason."""

    reason: Reason


class TimeResponse(Message):
    """T2 and T3 of RFC 5905, in the rendezvous's clock."""

    received_us: Microseconds
    sent_us: Microseconds


class RelayLimits(Wire):
    """What the relay carries for one pair of peers, both directions together."""

    octets: Annotated[int, Field(strict=True, ge=1)] | None = None
    """In all; None: any number."""
    octets_per_s: Annotated[int, Field(strict=True, ge=1)] | None = None
    """None: as fast as it can."""


class Seated(Message):
    """A seat that was taken."""

    nameplate: Nameplate
    session: SessionId
    seat: Seat
    ttl_us: Duration
    """How long the session is kept after its last request."""
    reflectors: tuple[Annotated[str, Field(max_length=300)], ...]
    """``HOST:PORT`` of each reflector; ``*:PORT`` means the host of the rendezvous's URL."""
    partner_pake: PakeText | None = None
    """None: the partner is not there yet, or has sent none."""
    relays: tuple[Annotated[str, Field(max_length=300)], ...] = ()
    """``HOST:PORT`` of the relay, at each of its addresses, as in ``reflectors``; none: there is
    no relay here."""
    relay_limits: RelayLimits | None = None
    """Of those; None: there is no relay here."""
    partner_relay: RelayPolicy | None = None
    """None: the partner is not there yet, or knows no relay."""


class WaitResponse(Message):
    """Whether the partner is there; ``left`` is set when it has gone again."""

    partner: StrictBool
    left: Reason | None = None
    partner_pake: PakeText | None = None
    partner_relay: RelayPolicy | None = None
    ticket: TicketText | None = None
    """What lets this seat in at the relay, once, within a minute; None: there is no relay, the
    partner is not there, or one of the two wants none."""


class AttemptResponse(Message):
    """At most one field is set; none: the partner's report is awaited, poll again."""

    appointment: Appointment | None = None
    verdict: Verdict | None = None
    left: Reason | None = None
    """The partner left, for this reason."""

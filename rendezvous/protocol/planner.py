"""Two reports in, one appointment out.  Pure: every host could run it.

Theory of operation
-------------------

*Which clock.*  Each report carries two offsets of the peer's clock: against
UTC, by NTP, and against the rendezvous's clock.  Both peers must aim by the
same one, so UTC is used only if both know it, else the rendezvous's.  What
UTC says *now* is not asked of the rendezvous's own clock, which may be an hour
wrong: each report gives ``UTC - rendezvous`` as the difference of its two
offsets, and the report with the smaller bounds is believed.  If the two differ
by more than their bounds, one peer's NTP is wrong and nobody knows whose: then
the rendezvous's clock serves.

*Which instant.*  The appointment must have reached both peers before the
instant.  It leaves now; the peer that is parked has it after half a round
trip, the one that has to poll again after one and a half.  So the lead is the
larger of ``round trip + 4 x jitter`` (RFC 6298's own margin), plus one round
trip, plus the time a peer needs from reading it to being armed.  A lead that
proves too short costs nothing but the first crossing: the late peer fires at
once and the early one has been re-firing.

*Which pairs.*  The peers' ports of equal index, in each family both have.
A NAT that gives every flow a new port takes its reflexive IPv4 candidates out: nobody can
say where to aim.  Host candidates that are private are used only between peers seen at one
address: behind one NAT, where the way out and back (hairpin) is often closed.
"""

from __future__ import annotations

from dataclasses import dataclass

from rendezvous.protocol.endpoints import Endpoint, Family
from rendezvous.protocol.messages import (
    MAX_PAIRS,
    Appointment,
    Candidate,
    CandidateKind,
    Identity,
    MappingBehaviour,
    Pair,
    Reason,
    Report,
    Role,
    Timescale,
    Verdict,
)
from rendezvous.protocol.times import US_PER_S

JITTER_FACTOR = 4
"""RFC 6298 §2: K = 4."""
DEADLINE_US = (5 * US_PER_S, 8 * US_PER_S)
"""Length of the first attempt and of every later one.

The first is short, since most connections open within a round trip and fresh
ports then serve better than waiting; later ones leave room for four SYN
retransmissions (RFC 6298: 1 s apart on Linux)."""
SYN_BUDGET = 5_000
"""Most SYNs of one attempt: about three times what the widest skew tried ever spent."""

MAX_LEAD_US = 10 * US_PER_S
"""However long a report says that its peer needs: the partner does not wait for ever."""
_UNPREDICTABLE = (MappingBehaviour.ADDRESS_DEPENDENT, MappingBehaviour.ADDRESS_AND_PORT_DEPENDENT)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the planner says to each seat."""

    a: Appointment | Verdict
    b: Appointment | Verdict


def plan(report_a: Report, report_b: Report, attempt: int, now_us: int) -> Plan:
    """Agree the instant and the port pairs of one attempt.

    Args:
        report_a: what the first seat, the initiator, knows of itself; only
            candidates that may be named to a stranger, unproven ones removed.
        report_b: the same of the second seat, the responder.
        attempt: 1, 2, …
        now_us: the rendezvous's own clock, in whatever timescale it has.

    Returns:
        Two appointments of the same instant with mirrored pairs, or two
        verdicts of the same reason.
    """
    pairs = _pairs(report_a, report_b)
    if not pairs:
        return _no_pairs(report_a, report_b)
    timescale, instant_us = _instant(report_a, report_b, now_us)

    def of(role: Role) -> Appointment:
        first = role == "initiator"
        aimed = (
            Pair(
                pair=number,
                port_index=candidate_a.port_index,
                family=Endpoint.parse(candidate_a.endpoint).family,
                remote=(candidate_b if first else candidate_a).endpoint,
                own=(candidate_a if first else candidate_b).endpoint,
            )
            for number, (candidate_a, candidate_b) in enumerate(pairs)
        )
        return appoint(
            role,
            attempt,
            tuple(aimed),
            timescale=timescale,
            instant_us=instant_us,
            partner=(report_b if first else report_a).identity,
        )

    return Plan(of("initiator"), of("responder"))


def appoint(
    role: Role,
    attempt: int,
    pairs: tuple[Pair, ...],
    *,
    timescale: Timescale,
    instant_us: int,
    lasts_us: int | None = None,
    partner: Identity | None = None,
) -> Appointment:
    """Write one peer's appointment, with the limits that all of them have.

    Args:
        role: the peer's.
        attempt: 1, 2, …
        pairs: at least one.
        timescale: what the instant is in.
        instant_us: when to fire.
        lasts_us: from the instant to the deadline; None: as usual for such an attempt.
        partner: what the partner's report says of its certificate.

    Returns:
        The appointment.
    """
    usual_us = DEADLINE_US[min(attempt, len(DEADLINE_US)) - 1]
    return Appointment(
        attempt=attempt,
        role=role,
        timescale=timescale,
        instant_us=instant_us,
        deadline_us=instant_us + (usual_us if lasts_us is None else lasts_us),
        strategy="paired",
        crossing="unknown",
        syn_budget=SYN_BUDGET,
        pairs=pairs,
        partner=partner,
    )


def lead_us(report_a: Report, report_b: Report) -> int:
    """Return how far ahead the instant must lie for both peers to know it in time.

    Args:
        report_a: one peer's report.
        report_b: the other's.

    Returns:
        Microseconds.
    """
    reports = (report_a, report_b)
    wanted_us = (
        max(r.rtt_us + JITTER_FACTOR * r.jitter_us for r in reports)
        + max(r.rtt_us for r in reports)
        + max(r.prepare_us for r in reports)
    )
    return min(wanted_us, MAX_LEAD_US)


def _instant(report_a: Report, report_b: Report, now_us: int) -> tuple[Timescale, int]:
    ahead_us = now_us + lead_us(report_a, report_b)
    if report_a.ntp is None or report_b.ntp is None:
        return "rendezvous", ahead_us
    # (bound of the difference, the difference) by each report: the tighter one is believed.
    (bound_us, difference_us), (other_bound_us, other_us) = sorted(
        (ntp.bound_us + r.rendezvous.bound_us, ntp.offset_us - r.rendezvous.offset_us)
        for r, ntp in ((report_a, report_a.ntp), (report_b, report_b.ntp))
    )
    if abs(difference_us - other_us) > bound_us + other_bound_us:
        return "rendezvous", ahead_us
    return "utc", ahead_us + difference_us


def _blame(reason: Reason, a: bool, b: bool) -> Plan:
    if a and b:
        both = Verdict(reason=reason, who="both")
        return Plan(both, both)
    mine, theirs = Verdict(reason=reason, who="you"), Verdict(reason=reason, who="partner")
    return Plan(mine, theirs) if a else Plan(theirs, mine)


def _no_pairs(report_a: Report, report_b: Report) -> Plan:
    seen_a, seen_b = _srflx_addresses(report_a), _srflx_addresses(report_b)
    if not (seen_a and seen_b):
        return _blame(Reason.NO_CANDIDATES, not seen_a, not seen_b)
    bad_a, bad_b = report_a.mapping in _UNPREDICTABLE, report_b.mapping in _UNPREDICTABLE
    if bad_a or bad_b:
        return _blame(Reason.MAPPING_UNPREDICTABLE, bad_a, bad_b)
    if _families(seen_a).isdisjoint(_families(seen_b)):
        return _blame(Reason.NO_COMMON_FAMILY, True, True)
    return _blame(Reason.NO_CANDIDATES, True, True)


def _pairs(report_a: Report, report_b: Report) -> list[tuple[Candidate, Candidate]]:
    table_a, table_b = _by_place(report_a), _by_place(report_b)
    shared = _srflx_addresses(report_a) & _srflx_addresses(report_b)
    families_shared = {Endpoint.of(address, 1).family for address in shared}
    pairs = []
    for family, index in sorted({(family, index) for _, family, index in table_a}):
        kinds = [CandidateKind.SRFLX]
        if family in families_shared:
            kinds.insert(0, CandidateKind.HOST)
        for kind in kinds:
            place = (kind, family, index)
            if place in table_a and place in table_b:
                pairs.append((table_a[place], table_b[place]))
                break
    return pairs[:MAX_PAIRS]


def _srflx_addresses(report: Report) -> set[str]:
    return {
        Endpoint.parse(c.endpoint).address
        for c in report.candidates
        if c.kind is CandidateKind.SRFLX
    }


def _families(addresses: set[str]) -> set[int]:
    return {Endpoint.of(address, 1).family for address in addresses}


def _by_place(report: Report) -> dict[tuple[CandidateKind, Family, int], Candidate]:
    table: dict[tuple[CandidateKind, Family, int], Candidate] = {}
    for candidate in report.candidates:
        family = Endpoint.parse(candidate.endpoint).family
        # The mapping behaviour is the IPv4 NAT's: where it gives each flow a new port, the port
        # that the reflector saw is not the one that the partner would have to aim at.
        aimless = report.mapping in _UNPREDICTABLE and family == 4
        if not (aimless and candidate.kind is CandidateKind.SRFLX):
            table[candidate.kind, family, candidate.port_index] = candidate
    return table

"""What to expect of each kind of partner: asked of the planner itself, so that it cannot be wrong.

A report of this host is put beside a report of each kind of partner, and the planner says whether
it would appoint them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peer.core.allocation import Allocation, allocation
from peer.core.doctor.nat import NatSeen, is_seen_inside, is_translated
from peer.core.mapping import Observation, classify
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import (
    Appointment,
    Candidate,
    CandidateKind,
    MappingBehaviour,
    Offset,
    Report,
)
from rendezvous.protocol.planner import plan

_EIM, _APDM = (
    MappingBehaviour.ENDPOINT_INDEPENDENT,
    MappingBehaviour.ADDRESS_AND_PORT_DEPENDENT,
)
KINDS: tuple[tuple[str, MappingBehaviour, bool], ...] = (
    ("a public address, or only a firewall", _EIM, True),
    ("a NAT that keeps ports", _EIM, True),
    ("a NAT that changes ports", _EIM, False),
    ("a NAT with a new port for each connection", _APDM, False),
)
"""Name, mapping behaviour, whether ports are kept."""
_PARTNER = Endpoint("192.0.2.1", 20_000)
_CLOCK = Offset(offset_us=0, bound_us=0)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One kind of partner."""

    partner: str
    """What the partner has."""
    rendezvous: bool | None
    """Whether `listen` and `connect` find a path; None: not known."""
    meet: bool | None
    """Whether `meet` does."""


def expectations(seen: NatSeen, *, has_ntp: bool) -> tuple[Expectation, ...]:
    """Say what to expect.

    Args:
        seen: what reflectors said of this host.
        has_ntp: whether the clock is good enough to meet by.

    Returns:
        A row for each kind of partner.
    """
    found = seen.of(4)
    rows = [
        Expectation(
            name,
            _known(found, _appointed(found, behaviour)) if found else None,
            _known(found, kept and _keeps(found) and has_ntp) if found else None,
        )
        for name, behaviour, kept in KINDS
    ]
    over6 = seen.of(6)
    if over6:
        direct = not is_translated(over6)
        meets = _known(over6, direct and has_ntp)
        rows.append(Expectation("IPv6, like this host", _known(over6, True), meets))
    return tuple(rows)


def _known(found: Sequence[Observation], expected: bool) -> bool | None:
    # What is between the reflectors and the internet can spoil a yes, and mend no no.
    return None if expected and is_seen_inside(found) else expected


def _keeps(found: Sequence[Observation]) -> bool:
    return allocation(found).allocation is Allocation.PRESERVED


def _appointed(found: Sequence[Observation], behaviour: MappingBehaviour) -> bool:
    own = _report(classify(found), [seen.mapped for seen in found])
    # Not behind the same NAT, whatever this one's address is.
    return isinstance(plan(own, _report(behaviour, [_PARTNER]), 1, 0).a, Appointment)


def _report(behaviour: MappingBehaviour, endpoints: Sequence[Endpoint]) -> Report:
    candidate = Candidate(kind=CandidateKind.SRFLX, port_index=0, endpoint=str(endpoints[0]))
    return Report(
        ntp=_CLOCK,
        rendezvous=_CLOCK,
        rtt_us=0,
        jitter_us=0,
        prepare_us=0,
        mapping=behaviour,
        preserves_port=None,
        candidates=(candidate,),
    )

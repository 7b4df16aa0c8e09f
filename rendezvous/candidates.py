"""Which of a peer's candidates its partner may be told to fire at.  Pure.

The rule (RFC 8445 §19.4.1 names the attack): an appointment makes two strangers
send SYNs, so it names only endpoints that a token proves, and the private ones
that mean nothing outside the peer's own network, which the planner gives only
to a partner seen at the same address.  These say nothing without the address
that the peer was seen at: a host candidate counts only beside a mapped one.
"""

from __future__ import annotations

from collections.abc import Callable

from rendezvous.protocol.endpoints import Endpoint, Family, is_private, is_unusable
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import Candidate, CandidateKind, Report
from rendezvous.refusal import Refused

FIRST_PORT = 1024
"""Below are the system ports (RFC 6335 §6), where services listen."""

Proves = Callable[[str, Endpoint], bool]


def vet(report: Report, proves: Proves) -> Report:
    """Remove the candidates that may not be named to a stranger.

    Args:
        report: as the peer sent it.
        proves: tells whether a token proves an endpoint, now and for this session.

    Returns:
        The report with the candidates that are left.

    Raises:
        Refused: ``stale_token`` where a token proves nothing: the peer must learn again.
    """
    kept = [c for c in report.candidates if _may_be_named(c, proves)]
    mapped = {_place(c) for c in kept if c.kind is CandidateKind.SRFLX}
    beside = tuple(c for c in kept if _place(c) in mapped)
    return report.model_copy(update={"candidates": beside})


def _place(candidate: Candidate) -> tuple[Family, int]:
    return Endpoint.parse(candidate.endpoint).family, candidate.port_index


def _may_be_named(candidate: Candidate, proves: Proves) -> bool:
    endpoint = Endpoint.parse(candidate.endpoint)
    if endpoint.port < FIRST_PORT or is_unusable(endpoint.address):
        return False
    if candidate.token is None:
        return candidate.kind is CandidateKind.HOST and is_private(endpoint.address)
    if not proves(candidate.token, endpoint):
        raise Refused(
            ProblemWord.STALE_TOKEN,
            f"the token of {endpoint} is expired, or not from this server: "
            "ask the reflector again and report anew",
        )
    return True

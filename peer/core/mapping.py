"""What the reflector's answers say about the NAT in front of this peer.

From each local port a TCP connection goes to two reflector endpoints; each
answers with the source it saw.  The same mapped endpoint for both: the mapping
is endpoint-independent, so the partner may be told of it.  Another one for
another port of the same address: address-and-port-dependent; only for another
address: address-dependent.

Carrier-grade NATs may give TCP and UDP different addresses: all of this is TCP.

Reference: RFC 5780 §4.3 (the test), RFC 4787 §4.1 and RFC 5382 (the words).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rendezvous.protocol.endpoints import Endpoint, Family
from rendezvous.protocol.messages import Candidate, CandidateKind, MappingBehaviour


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer of one reflector."""

    port_index: int
    local: Endpoint
    reflector: Endpoint
    mapped: Endpoint
    token: str | None


@dataclass(frozen=True, slots=True)
class Mapping:
    """What was learned, ready to be reported."""

    behaviour: MappingBehaviour
    """Of the IPv4 NAT, or of IPv6 where there is no IPv4."""
    preserves_port: bool | None
    """None: nothing was seen."""
    candidates: tuple[Candidate, ...]


def classify(observations: Iterable[Observation]) -> MappingBehaviour:
    """Name the mapping behaviour that the observations of one family show.

    Args:
        observations: answers of reflectors, any order.

    Returns:
        The behaviour; UNKNOWN when no local port was seen by two reflectors.
    """
    by_port: dict[int, list[Observation]] = defaultdict(list)
    for seen in observations:
        by_port[seen.port_index].append(seen)
    compared = [group for group in by_port.values() if len({s.reflector for s in group}) > 1]
    if not compared:
        return MappingBehaviour.UNKNOWN
    if all(len({s.mapped for s in group}) == 1 for group in compared):
        return MappingBehaviour.ENDPOINT_INDEPENDENT
    for group in compared:
        by_address: dict[str, set[Endpoint]] = defaultdict(set)
        for seen in group:
            by_address[seen.reflector.address].add(seen.mapped)
        if any(len(mapped) > 1 for mapped in by_address.values()):
            return MappingBehaviour.ADDRESS_AND_PORT_DEPENDENT
    return MappingBehaviour.ADDRESS_DEPENDENT


def summarise(observations: Sequence[Observation], hosts: Sequence[Candidate]) -> Mapping:
    """Make the mapping part of a report.

    Args:
        observations: every answer of every reflector, both families.
        hosts: host candidates on the same ports.

    Returns:
        Behaviour, port preservation, and one srflx candidate for each local
        port and family that a token proves, before the host candidates.
    """
    families = {seen.local.family for seen in observations}
    main: Family = 4 if 4 in families or not families else 6
    of_main = [seen for seen in observations if seen.local.family == main]
    srflx: dict[tuple[int, int], Candidate] = {}
    for seen in observations:
        place = (seen.local.family, seen.port_index)
        if seen.token is not None and place not in srflx:
            srflx[place] = Candidate(
                kind=CandidateKind.SRFLX,
                port_index=seen.port_index,
                endpoint=str(seen.mapped),
                token=seen.token,
            )
    kept = [seen.mapped.port == seen.local.port for seen in of_main]
    return Mapping(classify(of_main), all(kept) if kept else None, (*srflx.values(), *hosts))


def enough(observations: Sequence[Observation], reflectors: int) -> bool:
    """Say whether what was seen so far makes a useful report.

    Args:
        observations: answers so far.
        reflectors: how many reflector endpoints were asked from each port.

    Returns:
        True once some port has a token and, where there are two reflectors to
        compare, has been seen by two.
    """
    seen_by: dict[tuple[int, int], set[Endpoint]] = defaultdict(set)
    for seen in observations:
        if seen.token is not None:
            seen_by[seen.local.family, seen.port_index].add(seen.reflector)
    return any(len(found) >= min(2, reflectors) for found in seen_by.values())


def own_endpoints(
    observations: Iterable[Observation], candidates: Iterable[Candidate]
) -> frozenset[Endpoint]:
    """Collect where this peer itself is: no partner is there.

    Args:
        observations: answers of reflectors.
        candidates: as reported, host candidates among them.

    Returns:
        Endpoints of this host and of the NAT in front of it.
    """
    told = {Endpoint.parse(candidate.endpoint) for candidate in candidates}
    return frozenset(told | {seen.mapped for seen in observations})

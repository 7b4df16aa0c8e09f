"""What is between this host and the world, as far as a reflector over TCP can tell.

Whom a NAT or firewall lets in (filtering, RFC 5382 §4.3) cannot be told from inside: a reflector
only answers, and what knocks unasked is never seen.  midair does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from peer.core.allocation import Allocation, Ports, allocation
from peer.core.doctor.check import Check, Status
from peer.core.mapping import Observation, classify
from rendezvous.protocol.endpoints import Endpoint, Family, is_private
from rendezvous.protocol.messages import MappingBehaviour

NO_REFLECTOR = 3
"""The exit code of a peer whose rendezvous cannot be used."""
NO_PATH = 5
"""That of one that finds no path."""
_UNNAMED = (
    "not looked at: name a rendezvous (--rendezvous URL), or two STUN servers over TCP "
    "(--reflector HOST:PORT)"
)
_FILTERING = "whom it lets in unasked is not to be seen from inside"
_PREDICTABLE = (MappingBehaviour.ENDPOINT_INDEPENDENT, MappingBehaviour.UNKNOWN)


@dataclass(frozen=True, slots=True)
class NatSeen:
    """What reflectors said."""

    asked: bool
    """Whether there was anybody to ask."""
    trouble: str | None = None
    """Why nothing could be measured; None: see the observations."""
    observations: tuple[Observation, ...] = ()
    hairpin: bool | None = None
    """Whether a connection to one's own public endpoint came back; None: not tried."""
    ipv6: str | None = None
    """This host's own address of the global kind, and only with a route."""

    def of(self, family: Family) -> list[Observation]:
        """Return the observations of one family."""
        return [seen for seen in self.observations if seen.local.family == family]


def is_translated(observations: Iterable[Observation]) -> bool:
    """Say whether there is a NAT: somebody saw another address, or port, than the own one."""
    return any(seen.mapped != seen.local for seen in observations)


def is_seen_inside(observations: Iterable[Observation]) -> bool:
    """Say whether the reflectors are in a private network: a NAT behind them is not seen."""
    return all(_is_inside(seen.mapped) for seen in observations)


def judge_nat(seen: NatSeen) -> Check:
    """Say what the NAT of IPv4 is like.

    Args:
        seen: what reflectors said.

    Returns:
        The check; broken when they do not answer, or when nobody can say where to aim.
    """
    if not seen.asked:
        return Check("NAT", Status.UNKNOWN, (_UNNAMED,))
    if seen.trouble is not None or not seen.observations:
        why = seen.trouble or "no reflector answers: its TCP ports must be open to this host"
        return Check("NAT", Status.BROKEN, (why,), exit_code=NO_REFLECTOR)
    found = seen.of(4)
    if not found:
        return Check("NAT", Status.OK, ("no reflector was reached over IPv4",))
    behaviour, ports = classify(found), allocation(found)
    translated = is_translated(found)
    facts: dict[str, object] = {
        "translated": translated,
        "public": sorted({each.mapped.address for each in found}),
        "local": sorted({each.local.address for each in found}),
        "mapping": behaviour.value,
        "preserves_port": ports.allocation is Allocation.PRESERVED,
        "allocation": ports.allocation.value,
        "step": ports.step,
        "hairpin": seen.hairpin,
        "filtering": None,
    }
    public = ", ".join(sorted({each.mapped.address for each in found}))
    if not translated:
        line = f"none: this host is {public}, seen from outside"
        if is_seen_inside(found):
            line = (
                f"none on the way to the reflectors, which see {public}: they are in a private "
                "network, too, and what is between that and the internet was not looked at"
            )
        return Check("NAT", Status.OK, (line, _FILTERING), facts)
    lines = [f"seen from outside as {public}: NAT"]
    if is_seen_inside(found):
        lines = [
            f"the reflectors, which are in a private network, too, see {public}: NAT; what is "
            "between them and the internet was not looked at"
        ]
    predictable = behaviour in _PREDICTABLE
    lines.append(f"its mapping is {_mapping(behaviour)}, {_ports(ports, predictable)}")
    if not predictable:
        lines.append("so nobody can say where to aim: set it to keep ports, or use another network")
    if len({each.mapped.address for each in found}) > 1:
        lines.append("it has several public addresses: connections may come from another one")
    if seen.hairpin is not None:
        leads = "leads" if seen.hairpin else "does not lead"
        lines.append(f"it {leads} back to its own public address (hairpin)")
    lines.append(_FILTERING)
    if predictable:
        return Check("NAT", Status.OK, tuple(lines), facts)
    return Check("NAT", Status.BROKEN, tuple(lines), facts, NO_PATH)


def judge_ipv6(seen: NatSeen) -> Check:
    """Say what there is of IPv6.

    Args:
        seen: what reflectors said.

    Returns:
        The check; never broken, since IPv4 serves.
    """
    found = seen.of(6)
    facts: dict[str, object] = {
        "address": seen.ipv6,
        "reached": bool(found),
        "translated": is_translated(found) if found else None,
    }
    if seen.ipv6 is None:
        return Check(
            "IPv6", Status.OK, ("none; a partner with nothing else is out of reach",), facts
        )
    if not found:
        return Check("IPv6", Status.OK, (f"{seen.ipv6}; no reflector was asked over it",), facts)
    how = "through a NAT" if is_translated(found) else "as it is"
    return Check("IPv6", Status.OK, (f"{seen.ipv6}, seen from outside {how}",), facts)


def _is_inside(endpoint: Endpoint) -> bool:
    return is_private(endpoint.address) or ip_address(endpoint.address).is_loopback


def _mapping(behaviour: MappingBehaviour) -> str:
    if behaviour is MappingBehaviour.UNKNOWN:
        return "not known (only one reflector answered)"
    return behaviour.value.replace("_", "-")


def _ports(ports: Ports, predictable: bool) -> str:
    if ports.allocation is Allocation.PRESERVED:
        return "ports are kept"
    if ports.allocation is Allocation.PARTLY:
        return "ports are kept where they are free"
    if predictable:
        return "ports are changed"
    if ports.allocation is Allocation.SEQUENTIAL:
        return f"ports are counted up by {ports.step}"
    return "ports are random"

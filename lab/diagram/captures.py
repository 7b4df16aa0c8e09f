"""From captured packets to what the diagram knows of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.diagram.match import Note, assemble
from lab.diagram.model import Flow, Seen, SpaceTime
from lab.packets import Icmp, Packet, Tcp

_IPPROTO_TCP = 6

_ICMP_NAMES = {
    (4, 3, 0): "net unreachable",
    (4, 3, 1): "host unreachable",
    (4, 3, 2): "protocol unreachable",
    (4, 3, 3): "port unreachable",
    (4, 3, 10): "host prohibited",
    (4, 3, 13): "admin prohibited",
    (4, 11, 0): "time exceeded",
    (6, 1, 0): "no route",
    (6, 1, 1): "admin prohibited",
    (6, 1, 3): "address unreachable",
    (6, 1, 4): "port unreachable",
    (6, 3, 0): "time exceeded",
}
"""(IP version, type, code): RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3."""


def seen(packet: Packet) -> Seen | None:
    """Return what a diagram wants of a packet, None for one that is not about TCP."""
    if isinstance(packet.body, Tcp):
        return _tcp(packet, packet.body)
    if isinstance(packet.body, Icmp):
        return _icmp(packet, packet.body)
    return None


def _tcp(packet: Packet, tcp: Tcp) -> Seen:
    out = packet.direction == "out"
    ends = (tcp.source, tcp.destination)
    length = tcp.payload_length
    # The IP header's own length is not kept; from the end of the packet the payload is exact, as
    # long as the capture was not cut off.
    payload = packet.raw[-length:] if length else b""
    return Seen(
        t_ns=packet.t_ns,
        out=out,
        flow=Flow(*(ends if out else ends[::-1])),
        flags=int(tcp.flags),
        seq=tcp.sequence,
        ack=tcp.acknowledgement,
        length=length,
        payload=payload,
    )


def _icmp(packet: Packet, icmp: Icmp) -> Seen | None:
    about = icmp.about
    if about is None or about.protocol != _IPPROTO_TCP:
        return None
    out = packet.direction == "out"
    # It quotes a packet that went the other way.
    ends = (about.destination, about.source) if out else (about.source, about.destination)
    name = icmp_name(packet.version, icmp)
    return Seen(t_ns=packet.t_ns, out=out, flow=Flow(*ends), seq=about.sequence, icmp=name)


def icmp_name(version: int, icmp: Icmp) -> str:
    """Return what an ICMP message is called; type and code for one without a name here."""
    return _ICMP_NAMES.get((version, icmp.type, icmp.code), f"{icmp.type}/{icmp.code}")


def _all(packets: Iterable[Packet]) -> list[Seen]:
    return [found for packet in packets if (found := seen(packet)) is not None]


def build(
    packets_a: Sequence[Packet],
    packets_b: Sequence[Packet],
    *,
    origin_ns: int,
    names: tuple[str, str] = ("A", "B"),
    flows: tuple[Flow, Flow] | None = None,
    note: Note | None = None,
) -> SpaceTime:
    """Match two captures into a diagram of one flow.

    Args:
        packets_a: A's capture at its own interface, by time. Other traffic may be in it.
        packets_b: B's, on the same clock.
        origin_ns: What to call 0, on that clock: the instant, as a rule.
        names: What the hosts are called.
        flows: The flow to draw, as A and as B see it; by default the one between the two hosts
            that carried most.
        note: Words for what a data packet contains: :func:`lab.diagram.quoting`.

    Returns:
        The diagram; empty if the hosts have no flow in common.
    """
    return assemble(
        _all(packets_a), _all(packets_b), origin_ns=origin_ns, names=names, flows=flows, note=note
    )

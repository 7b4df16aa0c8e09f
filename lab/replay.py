"""``midair-lab diagram``: what the capture files of two hosts say of a connection. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lab.diagram import Crossing, Flow, Seen, SpaceTime, build, crossing, pick_flows, quoting
from lab.diagram.captures import seen
from lab.packets import Packet, parse, read_pcap

NAMES = ("peer A", "peer B")


class ReplayError(Exception):
    """The captures say nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Replay:
    """One connection, as both captures show it; times are after the first SYN."""

    model: SpaceTime
    claim: Crossing
    flows: tuple[Flow, Flow]
    """As A and as B see it."""


def read(data: bytes, own: str | None = None) -> list[Packet]:
    """Read the capture of one host.

    A pcap file of plain IP packets does not say which of them the host itself had sent: those
    from its own address.

    Args:
        data: the file.
        own: the host's address; None: the one that has most packets at either end.

    Returns:
        Its packets, by time.

    Raises:
        ReplayError: two addresses could be the host's own.
        ValueError: it is no such file, or cut off.
    """
    parsed = [parse(raw, t_ns=t_ns, direction="in") for t_ns, raw in sorted(read_pcap(data))]
    packets = [packet for packet in parsed if packet is not None]
    own = own or _own_address(packets)
    return [replace(each, direction="out") if each.source == own else each for each in packets]


def _own_address(packets: Sequence[Packet]) -> str | None:
    ends = Counter(end for packet in packets for end in {packet.source, packet.destination})
    first, *others = [*ends.most_common(2), ("", 0)]
    if first[1] and first[1] == others[0][1]:
        raise ReplayError(f"the host may be {first[0]} or {others[0][0]}: say which")
    return first[0]


def replay(
    packets_a: Sequence[Packet], packets_b: Sequence[Packet], *, quotes: Iterable[str] = ()
) -> Replay:
    """Find the connection that two hosts had with each other.

    Args:
        packets_a: A's capture.
        packets_b: B's, on the same clock.
        quotes: what the drawing quotes where a packet contains it.

    Raises:
        ReplayError: no packet of one is in the other's capture.
    """
    flows = pick_flows(_all(packets_a), _all(packets_b))
    if flows is None:
        raise ReplayError("no packet that one host had sent is in the other's capture")
    note = quoting([text.encode() for text in quotes])

    def since(origin_ns: int) -> SpaceTime:
        return build(packets_a, packets_b, origin_ns=origin_ns, names=NAMES, flows=flows, note=note)

    model = since(0)
    calls = [t_ns for t_ns in crossing(model).first_syn_ns if t_ns is not None]
    model = since(min(calls, default=model.arrows[0].start_ns))
    return Replay(model, crossing(model), flows)


def _all(packets: Iterable[Packet]) -> list[Seen]:
    return [found for packet in packets if (found := seen(packet)) is not None]


def conclusion(shown: Replay) -> str:
    """Say what the packets prove, in a few lines."""
    claim = shown.claim
    lines = [f"{claim.reason[0].upper()}{claim.reason[1:]}.", ""]
    for name, flow in zip(NAMES, shown.flows, strict=True):
        lines.append(f"  {name}  {_text(flow.local)} ⇄ {_text(flow.remote)}")
    if claim.skew_ns is not None:
        lines.append(f"  first SYNs apart: {abs(claim.skew_ns) / 1e6:.2f} ms")
    if claim.open_ns is not None:
        lines.append(f"  open {claim.open_ns / 1e6:.1f} ms after the later one")
    return "\n".join(lines)


def _text(endpoint: tuple[str, int]) -> str:
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

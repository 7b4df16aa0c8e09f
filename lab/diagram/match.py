"""Two captures in, arrows out: which packet of one side is which of the other's.

NATs rewrite addresses and ports; sequence numbers, control bits and payload lengths go through
unchanged, so these identify a packet. What left and is not at the other end is lost, or was
refused by a router; what arrived without having left is a router's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from statistics import median

from lab.diagram.model import (
    ACK,
    FIN,
    RST,
    SEQ_SPACE,
    SYN,
    Arrow,
    Fate,
    Flow,
    Kind,
    Seen,
    Side,
    SpaceTime,
)
from lab.diagram.states import changes

Note = Callable[[Side, Seen], str | None]
"""Says what a packet that a host sent contains, in words for the drawing."""

ASSUMED_TRANSIT_NS = 1_000_000
"""Drawn for a lost packet where no packet at all arrived to tell the transit."""

_CONTROL = SYN | ACK | FIN | RST

_Key = tuple[str | None, int, int, int, int]


def _key(packet: Seen) -> _Key:
    return (packet.icmp, packet.flags & _CONTROL, packet.seq, packet.ack, packet.length)


def quoting(messages: Iterable[bytes]) -> Note:
    """Return a note that quotes these messages where a payload contains one."""
    known = [(m, m.decode("utf-8", "replace").strip()) for m in messages]

    def note(_side: Side, packet: Seen) -> str | None:
        return next((text for raw, text in known if raw and raw in packet.payload), None)

    return note


def pick_flows(packets_a: Sequence[Seen], packets_b: Sequence[Seen]) -> tuple[Flow, Flow] | None:
    """Find the flow between the two hosts that carried most, as each of them sees it.

    Args:
        packets_a: A's capture; other traffic (the rendezvous, NTP) may be in it.
        packets_b: B's.

    Returns:
        A's flow and B's, or None if no TCP packet of one is in the other's capture.
    """
    weight: Counter[tuple[Flow, Flow]] = Counter()
    for sent, got, swap in ((packets_a, packets_b, False), (packets_b, packets_a, True)):
        arrived = {_key(p): p.flow for p in got if not p.out and p.icmp is None}
        for packet in sent:
            far = arrived.get(_key(packet)) if packet.out else None
            if far is not None:
                pair = (far, packet.flow) if swap else (packet.flow, far)
                weight[pair] += 1 + packet.length
    return max(weight, key=weight.__getitem__) if weight else None


def assemble(
    packets_a: Sequence[Seen],
    packets_b: Sequence[Seen],
    *,
    origin_ns: int,
    names: tuple[str, str] = ("A", "B"),
    flows: tuple[Flow, Flow] | None = None,
    note: Note | None = None,
) -> SpaceTime:
    """Match what two hosts saw into a diagram of one flow.

    Args:
        packets_a: What A's interface saw, by time.
        packets_b: What B's saw, on the same clock.
        origin_ns: What to call 0, on that clock: the instant, as a rule.
        names: What the hosts are called.
        flows: The flow to draw, as A and as B see it; by default :func:`pick_flows`.
        note: Words for what a data packet contains, see :func:`quoting`.

    Returns:
        The diagram; empty if the hosts have no flow in common.
    """
    flows = flows or pick_flows(packets_a, packets_b)
    if flows is None:
        return SpaceTime(names, origin_ns, (), ())
    seen_a = [p for p in packets_a if p.flow == flows[0]]
    seen_b = [p for p in packets_b if p.flow == flows[1]]
    states = changes(Side.A, seen_a, origin_ns) + changes(Side.B, seen_b, origin_ns)
    from_a = _one_way(Side.A, seen_a, seen_b, note)
    from_b = _one_way(Side.B, seen_b, seen_a, note)
    arrows = _refusals(sorted(from_a + from_b, key=lambda a: (a.start_ns, a.end_ns)))
    moved = [
        replace(a, start_ns=a.start_ns - origin_ns, end_ns=a.end_ns - origin_ns) for a in arrows
    ]
    states.sort(key=lambda c: c.t_ns)
    return SpaceTime(names, origin_ns, tuple(moved), tuple(states))


def _arrivals(sent: Sequence[Seen], got: Sequence[Seen]) -> tuple[dict[int, int], list[Seen]]:
    """Pair the packets of one direction: index sent -> time it arrived, and arrivals left over."""
    departures: dict[_Key, list[int]] = defaultdict(list)
    for index, packet in enumerate(sent):
        departures[_key(packet)].append(index)
    landings: dict[_Key, list[Seen]] = defaultdict(list)
    for packet in got:
        landings[_key(packet)].append(packet)
    times: dict[int, int] = {}
    strangers: list[Seen] = []
    for key, landed in landings.items():
        open_ = departures.get(key)
        if open_ is None:
            strangers += landed
            continue
        # A retransmission looks like the original. None lost: in order. Some lost: each arrival
        # is the latest that had left by then, which is right while the transit is shorter than
        # the retransmission timer (1 s, RFC 6298).
        if len(landed) >= len(open_):
            times |= {i: p.t_ns for i, p in zip(open_, landed, strict=False)}
            continue
        for packet in reversed(landed):
            fits = bisect_right([sent[i].t_ns for i in open_], packet.t_ns)
            if fits:
                times[open_[fits - 1]] = packet.t_ns
                open_ = open_[: fits - 1]
    return times, strangers


def _one_way(
    sender: Side, near: Sequence[Seen], far: Sequence[Seen], note: Note | None
) -> list[Arrow]:
    """Make the arrows of one direction, refusals by routers among them."""
    sent = [p for p in near if p.out]
    got = [p for p in far if not p.out]
    times, strangers = _arrivals(sent, got)
    for index, packet in enumerate(sent):
        if index not in times and packet.length:
            # Offloading cuts and joins segments on the way: the bytes arrived all the same.
            end = packet.seq + packet.length
            whole = (g.t_ns for g in got if g.t_ns > packet.t_ns and _covers(g, end))
            if (landed := next(whole, None)) is not None:
                times[index] = landed
    transits = [times[i] - sent[i].t_ns for i in times]
    usual = max(1, int(median(transits))) if transits else ASSUMED_TRANSIT_NS
    relative = _Relative(sent, [p for p in near if not p.out])
    arrows = []
    for index, packet in enumerate(sent):
        landed = times.get(index)
        arrow = relative.arrow(sender, packet, note(sender, packet) if note else None)
        # A capture's clock may be too coarse for a hop without delay: never arrive at once.
        ended = packet.t_ns + usual if landed is None else max(landed, packet.t_ns + 1)
        fate = Fate.LOST if landed is None else Fate.ARRIVED
        arrows.append(replace(arrow, end_ns=ended, fate=fate))
    return arrows + [_stranger(sender, p) for p in strangers]


def _covers(packet: Seen, end: int) -> bool:
    return 0 <= (packet.seq + packet.length - end) % SEQ_SPACE < packet.length


def _stranger(sender: Side, packet: Seen) -> Arrow:
    return Arrow(
        sender=sender,
        kind=packet.kind,
        start_ns=packet.t_ns - 1,
        end_ns=packet.t_ns,
        from_router=True,
        isn=packet.seq if packet.icmp else (packet.ack - 1) % SEQ_SPACE,
        note=packet.icmp,
        length=packet.length,
    )


class _Relative:
    """Sequence numbers relative to the SYNs of one host's packets, which are given by time."""

    def __init__(self, sent: Sequence[Seen], got: Sequence[Seen]) -> None:
        self._their_syns = [p for p in got if p.flags & SYN]
        self._isns: list[int] = []
        self._seen: set[_Key] = set()

    def arrow(self, sender: Side, packet: Seen, note: str | None) -> Arrow:
        """Turn the next packet that the host sent into an arrow that has not ended yet."""
        again = packet.length + (packet.flags & (SYN | FIN)) > 0 and _key(packet) in self._seen
        self._seen.add(_key(packet))
        if packet.flags & SYN and packet.seq not in self._isns:
            self._isns.append(packet.seq)
        irs = next((p.seq for p in reversed(self._their_syns) if p.t_ns <= packet.t_ns), None)
        refusal = packet.kind.is_refusal
        return Arrow(
            sender=sender,
            kind=packet.kind,
            start_ns=packet.t_ns,
            end_ns=packet.t_ns,
            shot=self._isns.index(packet.seq) + 1 if packet.kind is Kind.SYN else 0,
            again=again,
            isn=(packet.ack - 1) % SEQ_SPACE if refusal else packet.seq,
            peer_isn=(packet.ack - 1) % SEQ_SPACE if packet.kind is Kind.SYN_ACK else None,
            seq=(packet.seq - self._isns[-1]) % SEQ_SPACE if self._isns and not refusal else None,
            ack=(packet.ack - irs) % SEQ_SPACE if packet.flags & ACK and irs is not None else None,
            length=packet.length,
            note=note or packet.icmp,
        )


def _refusals(arrows: Sequence[Arrow]) -> list[Arrow]:
    """Tie each refusal to the SYN it refuses, and let a router's leave from half way."""
    syns: dict[tuple[Side, int], int] = {}
    for index, arrow in enumerate(arrows):
        if arrow.kind is Kind.SYN:
            syns.setdefault((arrow.sender, arrow.isn), index)
    tied = list(arrows)
    for index, arrow in enumerate(arrows):
        target = syns.get((arrow.sender.other, arrow.isn)) if arrow.kind.is_refusal else None
        if target is None or arrow.end_ns - tied[target].start_ns < 2:
            continue
        left = arrow.start_ns
        if arrow.from_router:
            left = (tied[target].start_ns + arrow.end_ns) // 2
            if tied[target].fate is Fate.LOST:
                tied[target] = replace(tied[target], fate=Fate.REFUSED, end_ns=left)
        tied[index] = replace(arrow, answers=target, start_ns=left)
    order = sorted(range(len(tied)), key=lambda i: (tied[i].start_ns, tied[i].end_ns))
    place = {old: new for new, old in enumerate(order)}
    return [
        tied[i] if (t := tied[i].answers) is None else replace(tied[i], answers=place[t])
        for i in order
    ]

"""The claim "simultaneous open", decided from the packets of one flow and nothing else.

RFC 9293 §3.5, Figure 7: two SYNs without ACK, each sent before the other arrived, each answered
by a SYN·ACK from a host that had itself sent a SYN: so there is no listener.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.diagram.model import Arrow, Fate, Kind, Side, SpaceTime, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """What the packets of one flow say about how it was opened."""

    simultaneous: bool
    """The claim: two bare SYNs crossed, nobody listened, both hosts came to ESTABLISHED."""
    reason: str
    """Why it holds or does not, in words."""
    crossed: bool
    """Both bare SYNs of the connection arrived, and each had left before the other arrived."""
    listener: bool
    """A host answered a SYN with a SYN·ACK without having sent a bare SYN before."""
    established: bool
    """Both hosts came to ESTABLISHED."""
    syns: tuple[Arrow, Arrow] | None
    """The two SYNs of the connection, A's and B's; None if either sent none."""
    first_syn_ns: tuple[int | None, int | None]
    """When each host's first SYN left, A's and B's."""
    established_ns: tuple[int | None, int | None]
    """When each came to ESTABLISHED."""
    first_shot: bool
    """The SYNs that crossed are both hosts' first ones."""
    met_ns: int | None
    """When the two SYNs passed each other, taking their speed as even."""

    @property
    def half(self) -> bool:
        """It was a simultaneous open for one host only: the other one's SYN met it as it called.

        The SYN that would have crossed that one was lost, so that no packet proves more.
        """
        if self.syns is None or not self.established or self.listener:
            return False
        return any(syn.fate is Fate.LOST for syn in self.syns)

    @property
    def skew_ns(self) -> int | None:
        """B's first SYN less A's: positive if A was early."""
        a, b = self.first_syn_ns
        return None if a is None or b is None else b - a

    @property
    def open_ns(self) -> int | None:
        """From the later first SYN to both being ESTABLISHED."""
        a, b = self.first_syn_ns
        done_a, done_b = self.established_ns
        if a is None or b is None or done_a is None or done_b is None:
            return None
        return max(done_a, done_b) - max(a, b)


def crossing(model: SpaceTime) -> Crossing:
    """Decide whether a flow was opened by two SYNs that crossed.

    Args:
        model: The flow.

    Returns:
        The claim, its reason and its times.
    """
    syns = _connection_syns(model)
    crossed = syns is not None and _crossed(*syns)
    listener = _listener(model)
    done = (model.established_ns(Side.A), model.established_ns(Side.B))
    established = None not in done
    met = _met_ns(*syns) if syns is not None and crossed else None
    return Crossing(
        simultaneous=crossed and not listener and established,
        reason=_reason(syns, listener, established),
        crossed=crossed,
        listener=listener,
        established=established,
        syns=syns,
        first_syn_ns=(_first_syn_ns(model, Side.A), _first_syn_ns(model, Side.B)),
        established_ns=done,
        first_shot=crossed and syns is not None and syns[0].shot == syns[1].shot == 1,
        met_ns=met,
    )


def _connection_syns(model: SpaceTime) -> tuple[Arrow, Arrow] | None:
    """The two bare SYNs that the connection grew from, or else each host's last."""
    agreed: dict[Side, int | None] = {Side.A: None, Side.B: None}
    chosen: dict[Side, Arrow] = {}
    for arrow in model.arrows:
        if arrow.kind is Kind.SYN_ACK and arrow.fate is Fate.ARRIVED:
            agreed = {arrow.sender: arrow.isn, arrow.sender.other: arrow.peer_isn}
    for wanted in (False, True):
        for arrow in model.arrows:
            if arrow.kind is not Kind.SYN or (wanted and arrow.isn != agreed[arrow.sender]):
                continue
            known = chosen.get(arrow.sender)
            # Of a SYN and its retransmissions the one that arrived counts.
            same = known is not None and known.isn == arrow.isn
            if known is None or not same or known.fate is not Fate.ARRIVED:
                chosen[arrow.sender] = arrow
    if len(chosen) < 2:
        return None
    return chosen[Side.A], chosen[Side.B]


def _crossed(a: Arrow, b: Arrow) -> bool:
    if a.fate is not Fate.ARRIVED or b.fate is not Fate.ARRIVED:
        return False
    return a.start_ns < b.end_ns and b.start_ns < a.end_ns


def _listener(model: SpaceTime) -> bool:
    called: set[Side] = set()
    for arrow in model.arrows:
        if arrow.kind is Kind.SYN:
            called.add(arrow.sender)
        elif arrow.kind is Kind.SYN_ACK and arrow.sender not in called:
            return True
    return False


def _met_ns(a: Arrow, b: Arrow) -> int:
    """Where a's line from 0 to 1 and b's from 1 to 0 have the same place and time."""
    span_a, span_b = a.end_ns - a.start_ns, b.end_ns - b.start_ns
    return a.start_ns + span_a * (b.end_ns - a.start_ns) // (span_a + span_b)


def _first_syn_ns(model: SpaceTime, side: Side) -> int | None:
    times = (a.start_ns for a in model.arrows if a.kind is Kind.SYN and a.sender is side)
    return next(times, None)


def _reason(syns: tuple[Arrow, Arrow] | None, listener: bool, established: bool) -> str:
    if listener:
        return "a SYN was answered by a host that had sent none: it was listening"
    if syns is None:
        return "not both hosts sent a SYN"
    if not established:
        return f"not both hosts came to {State.ESTABLISHED.value}"
    if any(s.fate is not Fate.ARRIVED for s in syns):
        return "one SYN was lost on the way; the other met a host that was itself calling"
    if not _crossed(*syns):
        return "one SYN arrived before the other left"
    return "two bare SYNs crossed and nobody listened"

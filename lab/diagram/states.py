"""What TCP state a host is in, told from the packets at its interface alone.

The states are those of RFC 9293. An application may learn of ESTABLISHED later: Linux without
commit 23e89e8ee7be (6.11; 6.1.176 has it, too) answers the SYN·ACK of a simultaneous open with a
challenge ACK (RFC 5961 §4) instead of taking it, and is established by the other's challenge ACK,
half a round trip later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, auto

from lab.diagram.model import (
    ACK,
    FIN,
    RST,
    SEQ_SPACE,
    Kind,
    Seen,
    Side,
    State,
    StateChange,
)

RST_WINDOW = 1 << 20
"""A RST counts within so much of the next expected byte (RFC 9293 §3.10.7.4); a router's answer
to an earlier SYN carries sequence number 0 and would be taken for one otherwise."""


class Event(Enum):
    """What a packet means to the state of the host it leaves or reaches."""

    SYN_OUT = auto()
    SYN_IN = auto()
    SYN_ACK_OUT = auto()
    OWN_SYN_ACKED = auto()
    FIN_OUT = auto()
    FIN_IN = auto()
    OWN_FIN_ACKED = auto()
    REFUSED = auto()
    RESET = auto()


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.CLOSED, Event.SYN_OUT): State.SYN_SENT,
    # From LISTEN in truth, which sends nothing by which one could see it.
    (State.CLOSED, Event.SYN_ACK_OUT): State.SYN_RECEIVED,
    (State.SYN_SENT, Event.SYN_IN): State.SYN_RECEIVED,
    (State.SYN_SENT, Event.OWN_SYN_ACKED): State.ESTABLISHED,
    (State.SYN_SENT, Event.REFUSED): State.CLOSED,
    (State.SYN_RECEIVED, Event.OWN_SYN_ACKED): State.ESTABLISHED,
    (State.SYN_RECEIVED, Event.REFUSED): State.CLOSED,
    (State.SYN_RECEIVED, Event.FIN_OUT): State.FIN_WAIT_1,
    (State.ESTABLISHED, Event.FIN_OUT): State.FIN_WAIT_1,
    (State.ESTABLISHED, Event.FIN_IN): State.CLOSE_WAIT,
    (State.FIN_WAIT_1, Event.OWN_FIN_ACKED): State.FIN_WAIT_2,
    (State.FIN_WAIT_1, Event.FIN_IN): State.CLOSING,
    (State.FIN_WAIT_2, Event.FIN_IN): State.TIME_WAIT,
    (State.CLOSING, Event.OWN_FIN_ACKED): State.TIME_WAIT,
    (State.CLOSE_WAIT, Event.FIN_OUT): State.LAST_ACK,
    (State.LAST_ACK, Event.OWN_FIN_ACKED): State.CLOSED,
    **{(s, Event.RESET): State.CLOSED for s in State if s not in (State.CLOSED, State.SYN_SENT)},
}
"""A pair that is not in it changes nothing: a capture may hold anything."""


class _Host:
    """One host's state, fed with its packets by time."""

    def __init__(self) -> None:
        self.state = State.CLOSED
        self._iss: int | None = None
        self._irs: int | None = None
        self._fin: int | None = None

    def feed(self, packet: Seen) -> None:
        for event in list(self._events(packet)):
            self.state = TRANSITIONS.get((self.state, event), self.state)

    def _events(self, packet: Seen) -> Iterator[Event]:
        yield from self._sent(packet) if packet.out else self._received(packet)

    def _sent(self, packet: Seen) -> Iterator[Event]:
        if packet.kind is Kind.SYN:
            self._iss, self._irs, self._fin = packet.seq, None, None
            yield Event.SYN_OUT
        elif packet.kind is Kind.SYN_ACK:
            self._iss, self._irs = packet.seq, (packet.ack - 1) % SEQ_SPACE
            yield Event.SYN_ACK_OUT
        elif packet.flags & RST:
            yield Event.RESET
        elif packet.flags & FIN and packet.icmp is None:
            self._fin = (packet.seq + packet.length) % SEQ_SPACE
            yield Event.FIN_OUT

    def _received(self, packet: Seen) -> Iterator[Event]:
        if packet.kind.is_refusal:
            if self._refuses(packet):
                yield Event.REFUSED
            elif packet.kind is Kind.RST and self._in_window(packet.seq):
                yield Event.RESET
            return
        if self.state is State.SYN_RECEIVED and not self._is_acceptable(packet):
            # "If an incoming segment is not acceptable, an acknowledgment should be sent in reply",
            # and nothing else is done (RFC 9293 §3.10.7.4): it contradicts the SYN before it.
            return
        if packet.kind is Kind.SYN:
            self._irs = packet.seq
            yield Event.SYN_IN
        if packet.flags & ACK and self._acks_syn(packet.ack):
            if packet.kind is Kind.SYN_ACK:
                self._irs = packet.seq
            yield Event.OWN_SYN_ACKED
            if self._fin is not None and self._acks(packet.ack, self._fin):
                yield Event.OWN_FIN_ACKED
        if packet.flags & FIN:
            yield Event.FIN_IN

    def _refuses(self, packet: Seen) -> bool:
        """Whether it is about the SYN in the air, and not about an earlier shot."""
        if self._iss is None:
            return False
        if packet.kind is Kind.ICMP:
            return packet.seq == self._iss
        return self._irs is None and packet.ack == (self._iss + 1) % SEQ_SPACE

    def _is_acceptable(self, packet: Seen) -> bool:
        """Whether its number fits the SYN that was taken, which it may repeat."""
        return packet.seq == self._irs or self._in_window(packet.seq)

    def _in_window(self, seq: int) -> bool:
        return self._irs is not None and (seq - self._irs - 1) % SEQ_SPACE < RST_WINDOW

    def _acks_syn(self, ack: int) -> bool:
        # Until the SYN is acknowledged little can have been sent: another number means nothing.
        opening = self.state in (State.SYN_SENT, State.SYN_RECEIVED)
        near = self._iss is not None and (ack - self._iss) % SEQ_SPACE <= RST_WINDOW
        return self._acks(ack, self._iss) and (near or not opening)

    @staticmethod
    def _acks(ack: int, number: int | None) -> bool:
        return number is not None and 0 < (ack - number) % SEQ_SPACE < SEQ_SPACE // 2


def changes(side: Side, packets: Iterable[Seen], origin_ns: int) -> list[StateChange]:
    """Return the states that a host goes through.

    Args:
        side: Which host it is.
        packets: One flow's packets in its capture, by time.
        origin_ns: What the diagram calls 0.

    Returns:
        The changes by time; a host starts in CLOSED.
    """
    host = _Host()
    found: list[StateChange] = []
    for packet in packets:
        before = host.state
        host.feed(packet)
        if host.state is not before:
            found.append(StateChange(side, packet.t_ns - origin_ns, host.state))
    return found

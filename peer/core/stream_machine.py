"""Rules of one byte stream in two directions: what may be sent, credited, ended and acknowledged.

Not for bytes (:mod:`peer.core.frames` encodes them) and not for waiting (:mod:`peer.io.stream`).

Theory of operation
    Each direction has two ends, one at each peer, and lives on its own: one may be over minutes
    before the other. The ends of a direction::

        sender:    OPEN --END out--> ENDED --END_ACK in--> SETTLED
        receiver:  OPEN --END in---> ENDED --END_ACK out-> SETTLED

    The receiver sends END_ACK when its consumer has come for more and was told "that was all":
    by then the consumer has dealt with everything before.

    *Credit.* The receiver always reads the connection, and says with CREDIT how much it can keep.
    A full TCP window would do to stop a sender, but it would also stop the marks and credits
    behind the data, hide a dead partner, and not last: with TCP_USER_TIMEOUT set, Linux kills a
    connection whose window stays shut, though the partner answers every probe (measured: 26 s
    with a limit of 25 s; without the option it stays).

    *Who closes first.* Either. A peer closes when its two ends are SETTLED. It has then received
    END and END_ACK, and those are the partner's last two frames: no DATA or CREDIT follows them,
    in an orderly stream no ABORT. So nothing unread is in its socket, nothing more will come but
    FIN, and its close cannot turn into a RST. Its own last frame, END_ACK, precedes its FIN in
    sequence, and the partner, not settled before it has this END_ACK, is still reading. It sends
    FIN and waits for the partner's FIN, a while only: that FIN says that the END_ACK arrived. (Were
    the host to vanish in that round trip, all bytes would be delivered in both directions and
    only the partner could not know: the two generals' problem.) FIN never marks the end of one
    direction, because NATs forget a half-closed connection (RFC 5382 REQ-5 counts it as
    "transitory" and lets it go after 4 minutes; Linux's conntrack does so after one).
"""

from __future__ import annotations

from enum import Enum, auto

from peer.core.frames import Credit, Data, End, EndAck
from rendezvous.protocol.errors import ProtocolError

WINDOW = 4 * 1024 * 1024
"""Bytes that may be on the way or waiting for their consumer, in each direction. Part of the
protocol: it is the credit before the first CREDIT. Enough for 100 MB/s at 40 ms of round trip;
Linux's own default limit (tcp_rmem, 6 MiB of buffer, half of it window) is no higher."""
CREDIT_STEP = WINDOW // 4
"""A new CREDIT is due after this many delivered bytes: seldom, but well before the sender stops."""


class State(Enum):
    """Where one end of a direction is."""

    OPEN = auto()
    ENDED = auto()
    SETTLED = auto()


SENDER: dict[tuple[State, type], State] = {
    (State.OPEN, Data): State.OPEN,
    (State.OPEN, Credit): State.OPEN,
    (State.OPEN, End): State.ENDED,
    (State.ENDED, Credit): State.ENDED,
    (State.ENDED, EndAck): State.SETTLED,
}
"""DATA and END go out, CREDIT and END_ACK come in."""

RECEIVER: dict[tuple[State, type], State] = {
    (State.OPEN, Data): State.OPEN,
    (State.OPEN, Credit): State.OPEN,
    (State.OPEN, End): State.ENDED,
    (State.ENDED, EndAck): State.SETTLED,
}
"""DATA and END come in, CREDIT and END_ACK go out. No CREDIT after END: nothing could use it."""


class StreamMachine:
    """One peer's ends of both directions.

    What came in raises :class:`ProtocolError` if it breaks a rule; what goes out is returned as
    the frame to send.
    """

    def __init__(self) -> None:
        self.sender = State.OPEN
        self.receiver = State.OPEN
        self.sent = 0
        """Bytes of DATA sent."""
        self.received = 0
        """Bytes of DATA received."""
        self.delivered = 0
        """Bytes handed to the consumer."""
        self._allowed = WINDOW
        self._granted = WINDOW

    @property
    def credit(self) -> int:
        """Bytes that may be sent now."""
        return self._allowed - self.sent

    @property
    def settled(self) -> bool:
        """Both directions are over and acknowledged: the connection may be closed."""
        return self.sender is State.SETTLED and self.receiver is State.SETTLED

    def send(self, length: int) -> None:
        """Account for DATA about to be sent.

        Args:
            length: At most the credit.

        Raises:
            ValueError: END was sent already, or the credit does not suffice.
        """
        if self.sender is not State.OPEN:
            raise ValueError("the end of this direction was written already")
        if length > self.credit:
            raise ValueError(f"{length} bytes exceed the credit of {self.credit}")
        self.sent += length

    def end(self) -> End | None:
        """End the outgoing direction; None when it was ended before."""
        if self.sender is not State.OPEN:
            return None
        self.sender = SENDER[self.sender, End]
        return End(self.sent)

    def deliver(self, length: int) -> Credit | None:
        """Account for bytes handed to the consumer.

        Returns:
            The CREDIT to send, if one is due.
        """
        self.delivered += length
        limit = self.delivered + WINDOW
        if (self.receiver, Credit) not in RECEIVER or limit - self._granted < CREDIT_STEP:
            return None
        self._granted = limit
        return Credit(limit)

    def settle(self) -> EndAck | None:
        """Acknowledge the incoming direction; None unless it is ended, delivered and due."""
        if self.receiver is not State.ENDED or self.delivered != self.received:
            return None
        self.receiver = RECEIVER[self.receiver, EndAck]
        return EndAck()

    def take(self, frame: Data | End | EndAck | Credit) -> None:
        """Account for a frame of the partner.

        Raises:
            ProtocolError: The partner may not send this now.
        """
        name = type(frame).__name__
        if isinstance(frame, Data | End):
            after = RECEIVER.get((self.receiver, type(frame)))
        else:
            after = SENDER.get((self.sender, type(frame)))
        if after is None:
            raise ProtocolError(f"{name} out of turn")
        match frame:
            case Data(payload):
                if self.received + len(payload) > self._granted:
                    raise ProtocolError("more DATA than its CREDIT")
                self.received += len(payload)
            case End(total):
                if total != self.received:
                    raise ProtocolError(f"END after {self.received} bytes says {total}")
            case Credit(limit):
                if not self._allowed < limit <= self.sent + WINDOW:
                    raise ProtocolError(f"CREDIT of {limit} after {self._allowed}")
                self._allowed = limit
        if isinstance(frame, Data | End):
            self.receiver = after
        else:
            self.sender = after

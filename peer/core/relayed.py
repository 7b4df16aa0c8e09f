"""What it means that the relay did not join two peers, and what a relayed connection stands on.

Its greeting and its channel are those of any connection, at a place of their own: attempt 0, which
no appointment has, pair 0, and a key that nothing else uses.  There is no plan to be bound to.
Nobody has to bring the certificates: CONFIRM holds both, as TLS saw them, so that who sits between
(the relay does) is found out.
"""

from __future__ import annotations

from collections.abc import Sequence

from peer.core.greeting import Facts
from peer.core.keys import SessionKey
from peer.core.proof import Place
from rendezvous.protocol.messages import AttemptResult
from rendezvous.protocol.relay import Status

ATTEMPT, PAIR = 0, 0
_PURPOSE = b"midair/1 relay"
_AGAIN = "Start again on both sides, with a new code"
_SENTENCES: dict[Status, tuple[str, str]] = {
    Status.MALFORMED: (
        "it does not understand this peer",
        "Install equal versions of midair here and on the rendezvous",
    ),
    Status.FORBIDDEN: (
        "it does not know the rendezvous's ticket",
        "Rendezvous and relay must be one program, which was perhaps restarted: start again",
    ),
    Status.EXPIRED: ("the ticket came too late", _AGAIN),
    Status.TAKEN: ("somebody has used the ticket before", _AGAIN),
    Status.FULL: (
        "it carries as many pairs as its operator allows",
        "Try again later, or use another rendezvous",
    ),
    Status.ALONE: ("your partner did not come there", "See whether it still runs, and try again"),
    Status.GOING_AWAY: ("it is being stopped", "Try again in a minute"),
    Status.TOO_MANY: (
        "too many connections come from this host's address",
        "Close some, or try again later",
    ),
}


def explain_refusal(status: Status) -> tuple[str, str]:
    """Say why the relay did not join the peers.

    Args:
        status: what it answered; not WAITING or GO.

    Returns:
        What was the matter, and what the user can do.
    """
    return _SENTENCES[status]


def relay_key(key: SessionKey) -> bytes:
    """Derive the key that a relayed connection is proven by.

    Args:
        key: the session's.

    Returns:
        32 bytes.
    """
    return key.derive(_PURPOSE)


def relay_place(session: bytes) -> Place:
    """Return where in the session a relayed connection stands.

    Args:
        session: its 16 bytes.
    """
    return Place(session, ATTEMPT, PAIR)


def facts_of(misses: Sequence[AttemptResult]) -> Facts:
    """Return what an end tells the other one of its attempts before.

    Args:
        misses: all of them.
    """
    return Facts(
        winner_shots=0,
        shots=sum(miss.shots for miss in misses),
        refusals=sum(miss.refusals for miss in misses),
        bound_us=0,
        first_us=0,
        instant_error_us=0,
    )

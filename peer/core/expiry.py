"""What a session that has run out of time was about: one error, by how far it came."""

from __future__ import annotations

from peer.core.agent import Agent
from peer.core.steps import State
from peer.core.verdict import explain, not_relayed
from peer.errors import MidairError, NoPathError, UnreachableError
from rendezvous.protocol.messages import Reason


def out_of_time(agent: Agent, rendezvous: str, *, waits: bool, joins: bool) -> MidairError:
    """Say what was waited for in vain.

    Args:
        agent: the session.
        rendezvous: its URL.
        waits: the partner has been waited for.
        joins: this peer takes the second seat.

    Returns:
        The error, with its sentence, hint and exit code.
    """
    if agent.state is State.RELAYING:
        hint = "Start both sides within --timeout of each other"
        return not_relayed(agent.verdict, "your partner did not come there in time", hint)
    if agent.misses:
        # The last miss says more than that time is over.
        return explain(agent.misses[-1].reason, "you")
    match agent.state:
        case State.SEATING if not waits:
            return UnreachableError(
                f"the rendezvous {rendezvous} did not answer in time",
                "Check the URL, that `midair-rendezvous` runs there, and --timeout",
            )
        case State.SEATING | State.WAITING if waits or not joins:
            what = "your partner did not come in time"
            hint = "Start both sides within --timeout of each other"
        case State.WAITING | State.REPORTING:
            what = "no path: your partner came, and then nothing more was heard of it"
            hint = "See whether it still runs; start again on both sides, with a new code"
        case _:
            what = "no path: no connection within the time given"
            hint = "Try again; with -v you see how far it came"
    return NoPathError(Reason.TIMEOUT, what, hint)

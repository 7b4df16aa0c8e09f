"""What it means that a meeting came to nothing: one sentence and one piece of advice.

Nobody has told the two sides of each other, so that a partner who is not there, one
who aims elsewhere, and a NAT that keeps no ports all look the same from here.
"""

from __future__ import annotations

from peer.core.verdict import explain
from peer.errors import AuthenticationError, MidairError, NoPathError
from rendezvous.protocol.messages import Reason

FINAL = (Reason.AUTHENTICATION, Reason.FORBIDDEN)
"""Another meeting would end the same way."""
_SEEN = {
    Reason.REFUSED_EARLY: "every SYN was refused",
    Reason.REFUSED_LATE: "every SYN was refused",
    Reason.SILENT: "no SYN was answered in any way",
    Reason.BUDGET_SPENT: "every SYN was refused, up to the limit",
}
_OWN = {
    Reason.APPOINTMENT_LATE: (
        "the instant passed while this host did nothing",
        "Was it asleep? Give both sides a later time, or --at next",
    ),
    Reason.PORT_IN_USE: (
        "this host's port still has a connection with {host}",
        "Wait a minute, or choose another --port on both sides",
    ),
}


def explain_meeting(reason: Reason, host: str, meetings: int) -> MidairError:
    """Turn the reason of the last meeting that was missed into the error that ends it all.

    Args:
        reason: one word of the closed list.
        host: the partner, as the user named it.
        meetings: how many were missed.

    Returns:
        The error, with its sentence, hint and exit code.
    """
    if reason is Reason.AUTHENTICATION:
        return AuthenticationError(
            f"{host} could not prove that it has this secret",
            "Give both sides the same one, made by `midair meet --new-secret`; or somebody else "
            "answered there",
        )
    if reason in _OWN:
        what, hint = _OWN[reason]
        return NoPathError(reason, f"no path: {what.format(host=host)}", hint)
    if reason not in _SEEN:
        return explain(reason, "you")
    often = "" if meetings == 1 else f" at {meetings} meetings"
    return NoPathError(
        reason,
        f"no path: {host} did not meet us{often} ({_SEEN[reason]})",
        "Both sides must run at the same time, name each other's public address and the same port "
        "and time, or secret, and keep their ports through a NAT: see `midair doctor`",
    )

"""What both peers of an attempt were told, as one number: its digest is part of every key.

A rendezvous that tells the two peers different plans, other addresses, another instant, or roles
that do not match, makes two digests, so that no connection of that attempt can be proven.

Hashed is the plan without a point of view: JSON with sorted keys and no spaces, of the session and
of every field of the appointment, where the pairs have both endpoints in the place of ``own`` and
``remote``, and where nothing says whose copy it is.  The certificates (``partner``) are no part of
it: they go into the key beside it, see :func:`peer.core.keys.race_key`.

Reference: RFC 8785 (the form; our values are integers, short words and ASCII).
"""

from __future__ import annotations

import hashlib
import json

from rendezvous.protocol.messages import Appointment

_LABEL = b"midair/1 appointment"
_ONE_VIEW = {"role", "pairs", "partner"}
"""What the two copies of an appointment have each in its own way."""


class BindingError(ValueError):
    """The appointment does not say what the partner was told."""


def digest(session: bytes, appointment: Appointment) -> bytes:
    """Hash the plan that an appointment is one peer's copy of.

    Args:
        session: its 16 bytes.
        appointment: either peer's.

    Returns:
        32 bytes, the same for both copies, and another for any other plan.

    Raises:
        BindingError: a pair does not have this peer's own endpoint: the rendezvous is too old.
    """
    is_first = appointment.role == "initiator"
    pairs = []
    for pair in appointment.pairs:
        if pair.own is None:
            raise BindingError("the appointment does not say where the partner fires at")
        ends = (pair.own, pair.remote) if is_first else (pair.remote, pair.own)
        shared = pair.model_dump(mode="json", exclude={"own", "remote"})
        pairs.append(shared | {"initiator": ends[0], "responder": ends[1]})
    plan = appointment.model_dump(mode="json", exclude=_ONE_VIEW) | {"pairs": pairs}
    text = json.dumps({"session": session.hex()} | plan, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(_LABEL + text.encode("ascii")).digest()

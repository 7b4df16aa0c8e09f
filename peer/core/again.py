"""When a listener that stays begins again, after a partner has left or an error.

Not for waiting: :mod:`peer.apps.connected`.
"""

from __future__ import annotations

from peer.errors import (
    MidairError,
    PortInUseError,
    RefusedError,
    RendezvousError,
    UsageError,
    VersionError,
)
from rendezvous.protocol.times import NS_PER_S

FIRST_PAUSE_NS = NS_PER_S
"""After one failure. Whoever guesses at codes makes a kept listener fail: it must not hammer the
rendezvous for that."""
MOST_PAUSE_NS = 60 * NS_PER_S
"""After many in a row: a rendezvous that is restarted is found again within a minute."""
_NEVER = (UsageError, VersionError, RefusedError)
"""What no second try changes, unless a partner's mistake was the reason."""
_NOT_AT_FIRST = (RendezvousError, PortInUseError)
"""What is wrong from the beginning is the user's to mend; later it may pass."""


def pause_ns(
    error: MidairError | None, *, connected: bool, failures: int, first: bool
) -> int | None:
    """Say how long to wait before the next session.

    Args:
        error: how the last one ended; None: in order.
        connected: it had a connection.
        failures: sessions in a row that had none, this one included.
        first: no session before this one found the rendezvous and the port.

    Returns:
        Nanoseconds; None: do not begin again.
    """
    if connected:
        return 0
    if isinstance(error, _NEVER) or (first and isinstance(error, _NOT_AT_FIRST)):
        return None
    # 2 to the 6th is more than the most.
    return min(FIRST_PAUSE_NS << min(failures - 1, 6), MOST_PAUSE_NS)

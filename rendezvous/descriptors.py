"""How many sockets this process may have, and who gets them."""

from __future__ import annotations

import resource
from dataclasses import dataclass

RESERVE = 96
"""Listeners, epoll, standard streams, a module that is imported late: about 20; clients above
a limit that hear so, 16 on each of two sides; and what is accepted before it is counted."""
REFUSALS = 16
"""Clients above a limit that are told so at one time, on each side."""
BACKLOG = 1024
"""A thousand peers may come at once; each opens 8 reflector sockets within milliseconds."""
ACCEPTED_AT_ONCE = 8
"""Connections that asyncio accepts before it runs anything else, so before they are counted;
it calls that, too, a backlog."""
MOST = 200_000
"""Some containers say *unlimited*; at 27 kB a parked poll this is 5 GB."""


@dataclass(frozen=True, slots=True)
class Share:
    """Most sockets of each side."""

    http: int
    reflector: int
    relay: int = 0


def raise_limit() -> int:
    """Raise this process's soft limit of descriptors to the hard one.

    Returns:
        The limit that holds now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def share(limit: int, reflector_sockets: int | None = None, relay_sockets: int = 0) -> Share:
    """Divide the descriptors between HTTP, the reflector and the relay.

    Args:
        limit: descriptors in all.
        reflector_sockets: most for the reflector, None: half of what the relay leaves.
        relay_sockets: most for the relay; it gets no more than a quarter.

    Returns:
        At least one for HTTP and the reflector each.
    """
    free = max(limit - RESERVE, 2)
    relay = min(relay_sockets, free // 4)
    free -= relay
    half = free // 2
    reflector = half if reflector_sockets is None else max(1, min(reflector_sockets, free - 1))
    return Share(http=free - reflector, reflector=reflector, relay=relay)

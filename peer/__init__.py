"""midair's peer, as a library: one direct TCP connection to a partner, by crossing SYNs.

:func:`listen` and :func:`connect` give a stream, :func:`punch` the plain socket;
every failure is a :class:`MidairError`.  Names are loaded at first use, so that
``import peer`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peer.api import Link, connect, listen, punch
    from peer.errors import (
        AuthenticationError,
        BrokenError,
        MidairError,
        NoPathError,
        PortInUseError,
        RendezvousError,
        StreamBrokenError,
        UsageError,
    )
    from peer.io.stream import Stream

__all__ = [
    "AuthenticationError",
    "BrokenError",
    "Link",
    "MidairError",
    "NoPathError",
    "PortInUseError",
    "RendezvousError",
    "Stream",
    "StreamBrokenError",
    "UsageError",
    "connect",
    "listen",
    "punch",
]

_HOME = {"Link": "peer.api", "connect": "peer.api", "listen": "peer.api", "punch": "peer.api"}
_HOME |= {"Stream": "peer.io.stream"}


def __getattr__(name: str) -> object:
    """Load a public name at its first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'peer' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME.get(name, "peer.errors")), name)

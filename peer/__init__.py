"""midair's peer, as a library: one direct TCP connection to a partner, by crossing SYNs.

* :func:`listen` and :func:`connect`: a stream, as an async context manager;
* :func:`serve`, :func:`bind` and :func:`dial`: connections of programs, many over one;
* :func:`send` and :func:`receive`: files and folders;
* :func:`meet`: a stream by appointment, without a server;
* :func:`punch`: the plain socket.

Every failure is a :class:`MidairError`.  Names are loaded at first use, so that ``import peer``
costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peer.api import Link, connect, listen, punch
    from peer.api_files import receive, send
    from peer.api_forward import Dialer, bind, dial, serve
    from peer.api_meet import meet
    from peer.errors import (
        AuthenticationError,
        BrokenError,
        MidairError,
        NoPathError,
        PortInUseError,
        RendezvousError,
        StreamBrokenError,
        TransferError,
        UsageError,
    )
    from peer.io.mux_stream import MuxStream, PlaceRefusedError, StreamResetError
    from peer.io.stream import Stream

__all__ = [
    "AuthenticationError",
    "BrokenError",
    "Dialer",
    "Link",
    "MidairError",
    "MuxStream",
    "NoPathError",
    "PlaceRefusedError",
    "PortInUseError",
    "RendezvousError",
    "Stream",
    "StreamBrokenError",
    "StreamResetError",
    "TransferError",
    "UsageError",
    "bind",
    "connect",
    "dial",
    "listen",
    "meet",
    "punch",
    "receive",
    "send",
    "serve",
]

_HOME = {
    "peer.api": "Link connect listen punch",
    "peer.api_files": "receive send",
    "peer.api_forward": "Dialer bind dial serve",
    "peer.api_meet": "meet",
    "peer.io.mux_stream": "MuxStream PlaceRefusedError StreamResetError",
    "peer.io.stream": "Stream",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Load a public name at its first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'peer' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES.get(name, "peer.errors")), name)

"""Load now what httpx would load at its first request.

httpx imports its transport, and anyio its event loop backend, when the first
connection is made: 67 modules, a tenth of a second, in the middle of what is
measured.  A module that a later release renames is simply not preloaded.
"""

from __future__ import annotations

import importlib

MODULES = ("certifi", "h11", "httpcore", "anyio", "anyio.lowlevel", "anyio._backends._asyncio")
"""What `sys.modules` gained during the first request with httpx 0.28 and anyio 4."""


def load() -> None:
    """Import the modules; missing ones are left to httpx."""
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue

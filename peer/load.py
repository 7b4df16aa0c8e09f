"""How a command comes to load quickly what it runs; for the command line only.

Whoever imports :mod:`peer` has a process of their own, and decides this for it.
"""

from __future__ import annotations

import gc
import os

YOUNG = 50_000
"""Objects more than before that the collector waits for. At Python's own 700 it looks through
modules that are only just loaded hundreds of times: a tenth of the time that loading takes."""
_usual = gc.get_threshold()


def load_quickly() -> None:
    """Set collector and pydantic up, before anything is loaded that is large."""
    gc.set_threshold(YOUNG)
    # Else pydantic reads the metadata of every distribution that is installed beside it, to find
    # plugins: 4 to 8 file system calls for each, and code of strangers in this process.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def loaded() -> None:
    """Let the collector do its work again; what is here now is never garbage."""
    # Not looked through now: that takes as long as a round trip.
    gc.freeze()
    gc.set_threshold(*_usual)

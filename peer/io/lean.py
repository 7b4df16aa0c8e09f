"""httpx without its command line.

``import httpx`` also imports what ``python -m httpx`` needs, where that is installed: rich,
pygments and click, a third of the time that it takes.  It goes without where they are missing, and
so it does here; a program that has imported httpx before keeps what it has.
"""

from __future__ import annotations

import sys

_COMMAND = "httpx._main"

_is_new = sys.modules.setdefault(_COMMAND, None) is None  # type: ignore[arg-type]
import httpx as httpx  # noqa: E402 - this order is what it is about

if _is_new:
    del sys.modules[_COMMAND]

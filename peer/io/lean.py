"""httpx with only what is used of it, loaded whole.

``import httpx`` also imports what ``python -m httpx`` needs, where that is installed: rich,
pygments and click, a third of the time that it takes; and httpcore imports HTTP/2, which nobody
here speaks to a rendezvous. They go without where these are missing, and so they do here. Whatever
else wants them later finds them; a program that has imported httpx before keeps what it has.

httpcore asks for sniffio at every lock and every read. Where that is not installed, Python looks
for it in each folder of its path each time, two dozen questions to the file system for a request.
Here it is told once that there is none.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

from peer.io import eager

_UNUSED = ("httpx._main", "h2")
_ASKED_FOR = "sniffio"

# What is None in sys.modules cannot be imported.
_hidden = [name for name in _UNUSED if name not in sys.modules]
sys.modules.update(dict.fromkeys(_hidden))  # type: ignore[arg-type]
try:
    import httpx as httpx

    eager.load()
finally:
    for _name in _hidden:
        del sys.modules[_name]

if _ASKED_FOR not in sys.modules and find_spec(_ASKED_FOR) is None:
    sys.modules[_ASKED_FOR] = None  # type: ignore[assignment]

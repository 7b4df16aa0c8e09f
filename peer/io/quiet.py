"""Keep the rest of the process still while a volley is under way.

The interpreter hands its lock over every 5 ms by default, and a collection of garbage takes
milliseconds: either would make a shot late.  Both settings belong to the whole process, so
volleys that overlap share them, and the last one gives them back.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

SWITCH_INTERVAL_S = 1e-4
"""With the default 5 ms a busy thread beside the volley makes it 5.7 ms late; so: 71 µs."""


@dataclass(slots=True)
class _Shared:
    lock: threading.Lock = field(default_factory=threading.Lock)
    volleys: int = 0
    interval_s: float = 0.0
    collecting: bool = False


_shared = _Shared()


@contextmanager
def quiet() -> Iterator[None]:
    """Hand the interpreter's lock over quickly, and collect no garbage, inside the block."""
    with _shared.lock:
        if _shared.volleys == 0:
            _shared.interval_s, _shared.collecting = sys.getswitchinterval(), gc.isenabled()
            sys.setswitchinterval(SWITCH_INTERVAL_S)
            gc.disable()
        _shared.volleys += 1
    try:
        yield
    finally:
        with _shared.lock:
            _shared.volleys -= 1
            if _shared.volleys == 0:
                sys.setswitchinterval(_shared.interval_s)
                if _shared.collecting:
                    gc.enable()

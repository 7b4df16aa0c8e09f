"""The half of the benchmark that runs where the lab is: measures, and says so in JSON lines.

Each line is an object with one key: ``machine``, ``begin`` or ``end`` of a section, ``progress``
or ``figure``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

from lab.bench.figures import Figure
from lab.bench.origin import describe_machine
from lab.bench.sections import GUEST, HOST
from lab.interrupt import signals_raise


def measure(names: Sequence[str]) -> None:
    """Run sections, one after another, and print all that they yield."""
    _say("machine", describe_machine())
    with signals_raise():
        for name in names:
            _say("begin", {"section": name})
            # Closed at once whatever happens, not when its last reference is gone.
            with contextlib.closing({**GUEST, **HOST}[name]()) as steps:  # type: ignore[type-var]
                for step in steps:
                    kind = "figure" if isinstance(step, Figure) else "progress"
                    _say(kind, dataclasses.asdict(step))
            _say("end", {"section": name})


def _say(kind: str, fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({kind: fields}) + "\n")
    sys.stdout.flush()

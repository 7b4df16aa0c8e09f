"""The half of the benchmark that runs where the lab is: measures, and says so in JSON lines.

Each line is an object with one key: ``machine``, ``progress`` or ``figure``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.bench.figures import Figure
from lab.bench.sections import GUEST, HOST
from lab.interrupt import signals_raise
from lab.system import in_guest


def measure(names: Sequence[str]) -> None:
    """Run sections, one after another, and print all that they yield."""
    _say("machine", describe_machine())
    with signals_raise():
        for name in names:
            # Closed at once whatever happens, not when its last reference is gone.
            with contextlib.closing({**GUEST, **HOST}[name]()) as steps:  # type: ignore[type-var]
                for step in steps:
                    kind = "figure" if isinstance(step, Figure) else "progress"
                    _say(kind, dataclasses.asdict(step))


def _say(kind: str, fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({kind: fields}) + "\n")
    sys.stdout.flush()


def describe_machine() -> dict[str, Any]:
    """Describe the machine, or guest, that this process runs on."""
    return {
        "guest": in_guest(),
        "kernel": platform.release(),
        "cpu": _cpu_model(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "model name":
            return value.strip()
    return platform.machine()

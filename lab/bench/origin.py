"""Where figures come from: the machine, the commit, the command."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.system import in_guest

ROOT = Path(__file__).resolve().parents[2]
_MEASURED = ("peer", "rendezvous", "lab", "deploy", "pyproject.toml", "requirements")
"""What can change a figure; a page that is being rewritten cannot."""


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


def describe_commit() -> str:
    """Name the commit that is measured, and say if files differ from it."""
    commit = _git("rev-parse", "--short=10", "HEAD")
    if commit is None:
        return "unknown"
    changes = _git("status", "--porcelain", "--", *_MEASURED)
    return f"{commit} with changes" if changes else commit


def describe_command(sections: Sequence[str], *, resume: bool) -> str:
    """Write down the command that measures these sections; none: all."""
    words = ["make bench"]
    if sections:
        words.append(f'SECTIONS="{" ".join(sections)}"')
    if resume:
        words.append("RESUME=1")
    return " ".join(words)


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None

"""Small facts about the machine that several parts of the lab need."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

GUEST_MARK = "MIDAIR_GUEST"
"""Environment variable that is set (to 1) for commands inside a guest (:mod:`lab.guest`)."""


def in_guest() -> bool:
    """Tell whether this process runs inside a guest."""
    return os.environ.get(GUEST_MARK) == "1"


def search_path() -> str:
    """Return PATH with the folders of system programs, which an ordinary user's PATH lacks.

    /usr/local first among them: a chronyd there is free of the packaged one's AppArmor profile.
    """
    own = os.environ.get("PATH", os.defpath).split(os.pathsep)
    system = ["/usr/local/sbin", "/usr/sbin", "/sbin"]
    return os.pathsep.join([*own, *(folder for folder in system if folder not in own)])


def find(program: str) -> str | None:
    """Return a program's full name, or None where it is not installed."""
    return shutil.which(program, path=search_path())


def succeeds(argv: Sequence[str], **variables: str) -> bool:
    """Run a program, ignoring its output, and tell whether it exists and ends with 0."""
    try:
        done = subprocess.run(argv, env=environment(**variables), check=False, capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with :func:`search_path` and further variables."""
    return {**os.environ, "PATH": search_path(), **variables}

"""Make a user-mode guest run on a processor with more registers than its kernel knows.

Debian 12's ``user-mode-linux`` (6.1; Debian 13's 6.12 as well) does not boot where the processor
has AMX (Intel's since Sapphire Rapids). ``guest_ptrace.c`` tells why, and is the cure: preloaded
into the kernel, which is an ordinary dynamically linked program. Mended upstream in Linux 6.13
("um: switch to regset API and depend on XSTATE"), but Debian's packages of that have no NAT.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab import system

SOURCE = Path(__file__).with_name("guest_ptrace.c")
COMPILERS = ("tcc", "cc", "gcc", "clang")
KNOWN_BYTES = 2696
"""Register state the guest's kernel has room for (arch/x86/um/ptrace.c, FP_SIZE in Linux 6.1)."""
_FRAME_BYTES = 1024
"""Most that a signal frame needs beside that state; 3,632 was read with 2,696, 11,952 with AMX."""
_SC_MINSIGSTKSZ = 249
"""<bits/confname.h>; Python has no name for it."""


class NoCompilerError(Exception):
    """This processor's registers need a small program compiled, and there is no C compiler."""

    def __str__(self) -> str:
        """Say how to get one."""
        return (
            "the guest's kernel needs help on this processor (AMX), which has to be compiled\n"
            "install a small compiler with: apt-get install tcc"
        )


def are_wider_than_known() -> bool:
    """Tell whether this processor's register state is too long for the guest's kernel.

    The kernel says how much room a signal frame needs, and that state is in it.
    """
    try:
        return os.sysconf(_SC_MINSIGSTKSZ) > KNOWN_BYTES + _FRAME_BYTES
    except (OSError, ValueError):
        return False


def compiler() -> str | None:
    """Return the first C compiler there is."""
    return next(filter(None, map(system.find, COMPILERS)), None)


def preload(directory: Path) -> dict[str, str]:
    """Compile the help into a folder where it is needed.

    Args:
        directory: the guest's own, which outlives its kernel.

    Returns:
        The variables the guest's kernel has to be started with; none where all is well.

    Raises:
        NoCompilerError: there is nothing to compile it with.
        OSError: the compiler failed; the text is what it said.
    """
    if not are_wider_than_known():
        return {}
    program = compiler()
    if program is None:
        raise NoCompilerError
    library = directory / "ptrace.so"
    done = subprocess.run(
        [program, "-shared", "-fPIC", "-nostdlib", "-o", str(library), str(SOURCE)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OSError(f"{program} cannot compile {SOURCE.name}: {done.stderr.strip()}")
    return {"LD_PRELOAD": str(library)}

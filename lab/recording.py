"""``midair-lab capture``: a program runs, and what passes this host's interface meanwhile is kept.

For hosts that are not the lab's own: a container, a virtual machine. The file is what
``midair-lab diagram`` draws, tcpdump and Wireshark read.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

from lab.capture import Capture

T = TypeVar("T")

_ASK_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Here:
    """The network namespace that this process is in, for :class:`~lab.capture.Capture`."""

    def call(self, function: Callable[[], T]) -> T:
        """Run a function where we are."""
        return function()


class NotRunError(Exception):
    """The program cannot be run; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a recording."""

    exit_code: int
    """The program's; 128 + n when signal n ended it."""
    lost: int
    """Packets that are not in the file. It proves little unless 0."""


def record(path: Path, interface: str, argv: Sequence[str]) -> Recorded:
    """Run a program and write what passed an interface from before its start to after its end.

    Signals that ask this process to end go to the program; the file is written all the same.

    Args:
        path: the pcap file; written when the program has ended.
        interface: its name.
        argv: the program and its arguments.

    Raises:
        NotRunError: no such program, or it is none.
        OSError: no such interface, not permitted, or the file cannot be written.
    """
    path.unlink(missing_ok=True)
    with Capture(Here(), interface) as capture:
        try:
            program = subprocess.Popen(argv)
        except OSError as error:
            raise NotRunError(f"{argv[0]}: {error.strerror}") from error
        code = _wait(program)
        capture.close()
        capture.write_pcap(path)
        return Recorded(code, capture.lost)


def _wait(program: subprocess.Popen[bytes]) -> int:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        program.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _ASK_TO_END}
    try:
        code = program.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code

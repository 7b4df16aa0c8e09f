"""What Ctrl-C and SIGTERM do once everything is over but the process itself."""

from __future__ import annotations

import atexit
import os
import signal

NUMBERS = (signal.SIGINT, signal.SIGTERM)


def end_at_once_with(exit_code: int) -> None:
    """Let a signal end the process with this exit code, and with nothing else.

    Args:
        exit_code: what has been told, or will be.
    """
    for number in NUMBERS:
        signal.signal(number, lambda *_: os._exit(exit_code))


def ignore_while_exiting() -> None:
    """Keep signals from changing the exit code while Python takes itself down.

    Python gives up its own handlers then, and a late Ctrl-C would kill it.
    """
    # Not at once: threads are waited for before, and that must not be without an end.
    atexit.register(lambda: [signal.signal(number, signal.SIG_IGN) for number in NUMBERS])

"""What Ctrl-C and SIGTERM do once everything is over but the process itself."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import stat
from contextlib import suppress

NUMBERS = (signal.SIGINT, signal.SIGTERM)


def wanted() -> tuple[signal.Signals, ...]:
    """Return what ends this program: SIGHUP, too, unless nohup has asked to ignore it."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return NUMBERS if ignored else (*NUMBERS, signal.SIGHUP)


def outlive_hangup(loop: asyncio.AbstractEventLoop) -> None:
    """Let the end of standard input, and not a SIGHUP, end a pipe that has one.

    ssh sends it to its ProxyCommand as it leaves, while the ends of both directions are still
    on their way; without them the partner would have to say that the connection broke.

    Args:
        loop: the one that runs.
    """
    with suppress(OSError):
        mode = os.fstat(0).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            loop.add_signal_handler(signal.SIGHUP, lambda: None)


def end_at_once_with(exit_code: int) -> None:
    """Let a signal end the process with this exit code, and with nothing else.

    Args:
        exit_code: what has been told, or will be.
    """
    for number in wanted():
        signal.signal(number, lambda *_: os._exit(exit_code))


def ignore_while_exiting() -> None:
    """Keep signals from changing the exit code while Python takes itself down.

    Python gives up its own handlers then, and a late Ctrl-C would kill it.
    """
    # Not at once: threads are waited for before, and that must not be without an end.
    atexit.register(lambda: [signal.signal(number, signal.SIG_IGN) for number in wanted()])

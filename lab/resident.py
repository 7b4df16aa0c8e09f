"""A thread that lives in a network namespace of its own.

A thread is what enters a namespace on Linux; the rest of the process stays outside. Sockets that
it opens and processes that it starts belong to the namespace for good, so callers get them back
and use them from where they are.

Reference: network_namespaces(7), unshare(2).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from lab.closing import Closing

if TYPE_CHECKING:
    from pyroute2 import IPRoute

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
"""<linux/sched.h>; in Python's os from 3.12 on."""

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise what a function of the C library has failed with.

    Args:
        result: what it returned.
        what: it did, for a person.

    Raises:
        OSError: the result is not 0.
    """
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare() -> None:
    """Move this thread to a new network namespace.

    Raises:
        OSError: not permitted.
    """
    check(libc.unshare(_CLONE_NEWNET), "a new network namespace")


class Resident(Closing):
    """The thread, until :meth:`close`. It lives outside until it is told to :func:`unshare`.

    Args:
        name: of the namespace.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._ipr: IPRoute | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function inside the namespace and return what it returns.

        Keep it short: a signal that ends the program waits for it.
        """
        return self._worker.submit(function).result()

    def netlink(self, function: Callable[[IPRoute], T]) -> T:
        """Run a function inside the namespace with the namespace's rtnetlink socket."""

        def run() -> T:
            if self._ipr is None:
                from pyroute2 import IPRoute

                self._ipr = IPRoute()
            return function(self._ipr)

        return self.call(run)

    def close(self) -> None:
        """Leave the namespace, which ends with all that is in it. Repeating it does nothing."""
        ipr, self._ipr = self._ipr, None
        if ipr is not None:
            self.call(ipr.close)
        self._worker.shutdown()

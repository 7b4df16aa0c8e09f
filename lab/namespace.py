"""Network namespaces, each with one worker thread that lives inside it.

A thread is what enters a namespace on Linux; the rest of the process stays outside. Sockets that
the worker opens and processes that it starts belong to the namespace for good, so callers get
them back and use them from where they are.

Reference: network_namespaces(7), setns(2). Names are kept where ``ip netns`` keeps them, so that
``ip netns exec NAME …`` works on a living lab.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pyroute2 import IPRoute

T = TypeVar("T")

NETNS_FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
"""<linux/sched.h>; in Python's os from 3.12 on."""
_MS_BIND, _MS_REC, _MS_SHARED = 0x1000, 0x4000, 0x100000
_MNT_DETACH = 2
"""<linux/mount.h>."""

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _prepare_folder() -> None:
    """Make /run/netns a shared mount, as ``ip netns add`` does."""
    NETNS_FOLDER.mkdir(parents=True, exist_ok=True)
    # Not Path.is_mount(), which does not see a bind mount of the same file system: mounting a
    # second time over a recursive mount doubles everything that is in it.
    if f" {NETNS_FOLDER} " not in Path("/proc/self/mountinfo").read_text():
        folder = os.fsencode(NETNS_FOLDER)
        _check(_libc.mount(folder, folder, None, _MS_BIND | _MS_REC, None), f"mount {folder!r}")
        _check(_libc.mount(None, folder, None, _MS_SHARED | _MS_REC, None), "share /run/netns")


def names() -> list[str]:
    """List every named network namespace."""
    return sorted(path.name for path in NETNS_FOLDER.iterdir()) if NETNS_FOLDER.is_dir() else []


def remove(name: str) -> None:
    """Remove the name; the namespace goes with the last process, socket or thread in it."""
    path = NETNS_FOLDER / name
    _libc.umount2(os.fsencode(path), _MNT_DETACH)
    path.unlink(missing_ok=True)


class Namespace:
    """A new network namespace called ``name``; ``close()`` removes it.

    Raises:
        OSError: not permitted, or the name exists.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._ipr: IPRoute | None = None
        _prepare_folder()
        path = NETNS_FOLDER / name
        path.touch(mode=0o444, exist_ok=False)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        try:
            self.inode = self.call(lambda: self._enter(path))
            """Of /proc/PID/ns/net of everything that lives in here."""
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _enter(path: Path) -> int:
        _check(_libc.unshare(_CLONE_NEWNET), "a new network namespace")
        source = b"/proc/thread-self/ns/net"
        _check(_libc.mount(source, os.fsencode(path), None, _MS_BIND, None), f"mount {path}")
        return path.stat().st_ino

    def call(self, function: Callable[[], T]) -> T:
        """Run a function inside the namespace and return what it returns."""
        return self._worker.submit(function).result()

    def netlink(self, function: Callable[[IPRoute], T]) -> T:
        """Run a function inside the namespace with the namespace's rtnetlink socket."""

        def run() -> T:
            if self._ipr is None:
                from pyroute2 import IPRoute

                self._ipr = IPRoute()
            return function(self._ipr)

        return self.call(run)

    def write_sysctl(self, name: str, value: str) -> None:
        """Write ``net.…`` of this namespace; slashes separate the parts."""
        # /proc/sys shows the namespace of whoever opens the file.
        self.call(lambda: Path("/proc/sys", name).write_text(value))

    def close(self) -> None:
        """Leave the namespace and remove its name. Repeating it does nothing."""
        ipr, self._ipr = self._ipr, None
        if ipr is not None:
            self.call(ipr.close)
        self._worker.shutdown()
        remove(self.name)

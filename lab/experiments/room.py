"""Rooms: network namespaces without a name, which go with the thread that lives in them.

Nothing of a room is in the file system, so there is nothing to remove, however a program ends,
and a user namespace is enough to make one: no root is needed where the kernel lets everybody
have those.

Reference: network_namespaces(7), user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lab import system
from lab.closing import Closing
from lab.guest import this_command

if TYPE_CHECKING:
    from pyroute2 import IPRoute

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
"""<linux/sched.h>; in Python's os from 3.12 on."""
_FORBIDDEN = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOSPC)
_AS_ROOT_OF_OUR_OWN = ["unshare", "--map-root-user"]

HELP = """the experiments need a network namespace of their own, which this user may not make
be root; or allow user namespaces (sysctl user.max_user_namespaces, on Debian before 11 also
kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0);
in a container: docker run --cap-add SYS_ADMIN --security-opt seccomp=unconfined"""

_libc = ctypes.CDLL(None, use_errno=True)


class Room(Closing):
    """A network namespace of its own with a working loopback, until :meth:`close`.

    Args:
        name: what tables and diagrams call it.

    Raises:
        OSError: not permitted.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._ipr: IPRoute | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        try:
            self.call(_enter)
            self.netlink(lambda ipr: ipr.link("set", index=1, state="up"))
        except BaseException:
            self.close()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Run a function inside the room and return what it returns.

        Keep it short: a signal that ends the program waits for it.
        """
        return self._worker.submit(function).result()

    def netlink(self, function: Callable[[IPRoute], T]) -> T:
        """Run a function inside the room with the room's rtnetlink socket."""

        def run() -> T:
            if self._ipr is None:
                from pyroute2 import IPRoute

                self._ipr = IPRoute()
            return function(self._ipr)

        return self.call(run)

    def socket(
        self,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> socket.socket:
        """Open a socket inside the room; it may be used from anywhere, and is the caller's."""
        return self.call(lambda: socket.socket(family, kind))

    def read(self, name: str) -> str:
        """Read a file of ``/proc/net`` as it is inside the room."""
        return self.call(lambda: Path("/proc/thread-self/net", name).read_text())

    def sysctl(self, name: str, value: str | None = None) -> str:
        """Read, or first write, ``net.…`` of the room; slashes separate the parts."""

        def access() -> str:
            path = Path("/proc/sys", name)
            if value is not None:
                path.write_text(value)
            return path.read_text().strip()

        return self.call(access)

    @contextmanager
    def namespace(self) -> Iterator[int]:
        """Give a descriptor of the namespace, to move an interface there."""
        descriptor = self.call(lambda: os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Leave the room, which ends it once its sockets are closed. Again: nothing happens."""
        ipr, self._ipr = self._ipr, None
        if ipr is not None:
            self.call(ipr.close)
        self._worker.shutdown()


def _enter() -> None:
    if _libc.unshare(_CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"a new network namespace: {os.strerror(number)}")


def may_make_rooms() -> bool:
    """Tell whether this process may make rooms, by making one."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        try:
            worker.submit(_enter).result()
        except OSError as error:
            if error.errno in _FORBIDDEN:
                return False
            raise
    return True


def enter(arguments: list[str]) -> str | None:
    """Return where rooms can be made; become this command in a user namespace where that helps.

    Args:
        arguments: of ``midair-lab``, to run it again with.

    Returns:
        None, or what is missing, in words.
    """
    if may_make_rooms():
        return None
    allowed = system.succeeds([*_AS_ROOT_OF_OUR_OWN, "--net", "true"])
    if os.geteuid() == 0 or not allowed:
        return HELP
    sys.stdout.flush()
    os.environ["PATH"] = system.search_path()
    os.execvp(_AS_ROOT_OF_OUR_OWN[0], [*_AS_ROOT_OF_OUR_OWN, *this_command(arguments)])

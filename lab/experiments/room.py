"""Rooms: network namespaces without a name, which go with the thread that lives in them.

Nothing of a room is in the file system, so there is nothing to remove, however a program ends,
and a user namespace is enough to make one: no root is needed where the kernel lets everybody
have those.

Reference: network_namespaces(7), user_namespaces(7).
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lab import system
from lab.guest import this_command
from lab.resident import Resident, unshare

_FORBIDDEN = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOSPC)
_AS_ROOT_OF_OUR_OWN = ["unshare", "--map-root-user"]

HELP = """the experiments need a network namespace of their own, which this user may not make
be root; or allow user namespaces (sysctl user.max_user_namespaces, on Debian before 11 also
kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0);
in a container: docker run --cap-add SYS_ADMIN --security-opt seccomp=unconfined"""


class Room(Resident):
    """A network namespace of its own with a working loopback, until :meth:`close`.

    Args:
        name: what tables and diagrams call it.

    Raises:
        OSError: not permitted.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        try:
            self.call(unshare)
            self.netlink(lambda ipr: ipr.link("set", index=1, state="up"))
        except BaseException:
            self.close()
            raise

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


def may_make_rooms() -> bool:
    """Tell whether this process may make rooms, by making one."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        try:
            worker.submit(unshare).result()
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

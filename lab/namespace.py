"""Network namespaces with a name, each with one worker thread that lives inside it.

Reference: network_namespaces(7), setns(2). Names are kept where ``ip netns`` keeps them, so that
``ip netns exec NAME …`` works on a living lab.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.resident import Resident, check, libc, unshare

NETNS_FOLDER = Path("/run/netns")
_MS_BIND, _MS_REC, _MS_SHARED = 0x1000, 0x4000, 0x100000
_MNT_DETACH = 2
"""<linux/mount.h>."""


def _prepare_folder() -> None:
    """Make /run/netns a shared mount, as ``ip netns add`` does."""
    NETNS_FOLDER.mkdir(parents=True, exist_ok=True)
    # Not Path.is_mount(), which does not see a bind mount of the same file system: mounting a
    # second time over a recursive mount doubles everything that is in it.
    if f" {NETNS_FOLDER} " not in Path("/proc/self/mountinfo").read_text():
        folder = os.fsencode(NETNS_FOLDER)
        check(libc.mount(folder, folder, None, _MS_BIND | _MS_REC, None), f"mount {folder!r}")
        check(libc.mount(None, folder, None, _MS_SHARED | _MS_REC, None), "share /run/netns")


def names() -> list[str]:
    """List every named network namespace."""
    return sorted(path.name for path in NETNS_FOLDER.iterdir()) if NETNS_FOLDER.is_dir() else []


def remove(name: str) -> None:
    """Remove the name; the namespace goes with the last process, socket or thread in it."""
    path = NETNS_FOLDER / name
    libc.umount2(os.fsencode(path), _MNT_DETACH)
    path.unlink(missing_ok=True)


class Namespace(Resident):
    """A new network namespace called ``name``; ``close()`` removes it.

    Raises:
        OSError: not permitted, or the name exists.
    """

    def __init__(self, name: str) -> None:
        _prepare_folder()
        path = NETNS_FOLDER / name
        path.touch(mode=0o444, exist_ok=False)
        super().__init__(name)
        try:
            self.inode = self.call(lambda: self._enter(path))
            """Of /proc/PID/ns/net of everything that lives in here."""
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _enter(path: Path) -> int:
        unshare()
        source = b"/proc/thread-self/ns/net"
        check(libc.mount(source, os.fsencode(path), None, _MS_BIND, None), f"mount {path}")
        return path.stat().st_ino

    def write_sysctl(self, name: str, value: str) -> None:
        """Write ``net.…`` of this namespace; slashes separate the parts."""
        # /proc/sys shows the namespace of whoever opens the file.
        self.call(lambda: Path("/proc/sys", name).write_text(value))

    def close(self) -> None:
        """Leave the namespace and remove its name. Repeating it does nothing."""
        super().close()
        remove(self.name)

"""The receiver's folder: nothing is written outside of it, and no name is taken from a file.

Not for what comes over the stream, and not for which names are ordinary ones
(:mod:`peer.core.transfer.names`).

Every folder on the way is opened by the descriptor of the one above, without following links: a
link that somebody plants in the meantime leads nowhere. A file is written under a name of its
own (``.NAME.midair-part``) and gets its name when it is complete, by ``link()``, which fails
where a file of that name is. Nothing is forced onto the disk (fsync): after a power cut the
digest of a part finds what is missing, and of what was complete as much is left as of any copy.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from peer.core.transfer.manifest import Manifest
from peer.core.transfer.names import part_of, shown

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
"""What link() says where the file system has no hard links."""


class InTheWayError(OSError):
    """Something has a name that is offered; the text says what."""


class Folder:
    """Where files go; its methods wait for the disk, and raise OSError only."""

    def __init__(self, path: str, *, overwrite: bool) -> None:
        """Open it.

        Args:
            path: of a folder that is there; may be a link, since the user names it.
            overwrite: replace files that have an offered name.

        Raises:
            OSError: it is none, or may not be used.
        """
        self.overwrite = overwrite
        self._root = os.open(path, DIRECTORY & ~os.O_NOFOLLOW)
        self._parent: tuple[str, int] = ("", self._root)
        mask = os.umask(0)
        os.umask(mask)
        self.mask = mask

    def close(self) -> None:
        """Close it."""
        self._forget_parent()
        os.close(self._root)

    def free(self) -> int:
        """Return the bytes that its file system has left for this user."""
        status = os.statvfs(self._root)
        return status.f_bavail * status.f_frsize

    def check(self, manifest: Manifest) -> None:
        """Look whether anything is in the way; nothing is written.

        A file of the very size that is offered is not, here: it may be the same.

        Raises:
            InTheWayError: there is.
        """
        for entry in manifest.folders:
            status = self.status(entry.name)
            if status is not None and not stat.S_ISDIR(status.st_mode):
                raise InTheWayError(f"{shown(entry.name)} is there, and is no folder")
        for entry in manifest.files:
            status = self.status(entry.name)
            if status is None:
                continue
            if not stat.S_ISREG(status.st_mode):
                raise InTheWayError(f"{shown(entry.name)} is there, and is no file")
            if status.st_size != entry.size and not self.overwrite:
                raise InTheWayError(f"{shown(entry.name)} is there already")

    def make(self, manifest: Manifest) -> None:
        """Make the folders that are not there; their owner may always write into them.

        Raises:
            OSError: one cannot be made.
        """
        for entry in manifest.folders:
            fd, name = self.parent(entry.name)
            try:
                os.mkdir(name, entry.mode | 0o700, dir_fd=fd)
            except FileExistsError:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    text = f"{shown(entry.name)} is there, and is no folder"
                    raise InTheWayError(text) from None

    def status(self, name: str) -> os.stat_result | None:
        """Return what has this name, the link itself if it is one; None: nothing."""
        try:
            fd, last = self.parent(name)
            return os.stat(last, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str) -> int:
        """Open a file to read it.

        Raises:
            OSError: there is none, or it is something else.
        """
        fd, last = self.parent(name)
        return os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)

    def open_part(self, name: str, *, make: bool) -> int:
        """Open what there is of a file, to read and write it.

        Args:
            name: of the file.
            make: make it where there is nothing.

        Raises:
            FileNotFoundError: there is nothing.
            InTheWayError: something else has its name.
        """
        fd, last = self.parent(name)
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            part = os.open(part_of(last), flags | (os.O_CREAT if make else 0), 0o600, dir_fd=fd)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise InTheWayError(f"{shown(part_of(last))} is a link") from None
            raise
        status = os.fstat(part)
        # A second name: to write here would be to write there.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or status.st_uid != os.geteuid():
            os.close(part)
            raise InTheWayError(f"{shown(part_of(last))} is there, and is no part of ours")
        return part

    def is_part(self, name: str, part: int) -> bool:
        """Tell whether a part is still where :meth:`open_part` found it.

        Args:
            name: of the file.
            part: its descriptor.
        """
        fd, last = self.parent(name)
        try:
            status = os.stat(part_of(last), dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(status, os.fstat(part))

    def remove_part(self, name: str) -> None:
        """Remove what there is of a file."""
        fd, last = self.parent(name)
        os.unlink(part_of(last), dir_fd=fd)

    def give_name(self, name: str) -> None:
        """Make a part the file.

        Raises:
            FileExistsError: a file has the name, and may not be replaced.
        """
        fd, last = self.parent(name)
        part = part_of(last)
        if not self.overwrite:
            try:
                os.link(part, last, src_dir_fd=fd, dst_dir_fd=fd, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                # An empty file of ours takes the name, and is replaced.
                taken = os.open(last, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=fd)
                os.close(taken)
            else:
                os.unlink(part, dir_fd=fd)
                return
        os.replace(part, last, src_dir_fd=fd, dst_dir_fd=fd)

    def parent(self, name: str) -> tuple[int, str]:
        """Open the folder of a name, component by component.

        Args:
            name: one that :func:`peer.core.transfer.names.components` lets pass.

        Returns:
            Its descriptor, which stays ours and good until the next call, and the last component.

        Raises:
            FileNotFoundError: it is not there.
            InTheWayError: a link or a file stands there.
        """
        above, _, last = name.rpartition("/")
        if above != self._parent[0]:
            self._forget_parent()
            fd = self._root
            for component in above.split("/") if above else ():
                try:
                    inside = os.open(component, DIRECTORY, dir_fd=fd)
                except OSError as error:
                    if error.errno in (errno.ELOOP, errno.ENOTDIR):
                        raise InTheWayError(f"{shown(above)} leads over a link or a file") from None
                    raise
                finally:
                    if fd != self._root:
                        os.close(fd)
                fd = inside
            self._parent = (above, fd)
        return self._parent[1], last

    def _forget_parent(self) -> None:
        if self._parent[1] != self._root:
            with contextlib.suppress(OSError):
                os.close(self._parent[1])
        self._parent = ("", self._root)

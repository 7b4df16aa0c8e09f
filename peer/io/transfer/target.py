"""One file as it arrives: its part, its digest, and its name at the end.

Not for the stream. The methods wait for the disk, and raise OSError only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat

from peer.core.transfer.messages import CONTENT_MAX, Entry
from peer.core.transfer.names import shown
from peer.io.transfer.folder import Folder, InTheWayError

CLAIMS = 10
"""Times that a part is opened which is gone when it is locked: others are done with it by then."""


class Target:
    """A file that is wanted."""

    def __init__(self, folder: Folder, entry: Entry) -> None:
        """Nothing is opened yet.

        Args:
            folder: where it goes.
            entry: what was said of it.
        """
        self.entry = entry
        self._folder = folder
        self._sha256 = hashlib.sha256()
        self._fd = -1
        self.there = False
        """The file itself is there, as large as it shall be."""
        self.offset = 0
        """Bytes of it that are there."""

    def look(self) -> str | None:
        """See what there is of it.

        Returns:
            The digest of :attr:`offset` bytes; None: there is nothing.
        """
        try:
            status = self._folder.status(self.entry.name)
            if status is not None and stat.S_ISREG(status.st_mode):
                self.there = status.st_size == self.entry.size
            if self.there:
                fd = self._folder.open(self.entry.name)
                try:
                    self.offset = self._hash(fd)
                finally:
                    os.close(fd)
                # The size again: it may have grown since.
                self.there = self.offset == self.entry.size
                if self.there:
                    return self.digest()
                self._forget()
                return None
            self._claim(make=False)
        except FileNotFoundError:
            return None
        if os.fstat(self._fd).st_size <= self.entry.size:
            self.offset = self._hash(self._fd)
        if not self.offset:
            self.close()  # or it would stay locked
            return None
        return self.digest()

    def begin(self, offset: int) -> None:
        """Get ready for bytes.

        Args:
            offset: where they start: :attr:`offset`, or 0.

        Raises:
            InTheWayError: the file that is there is another one.
        """
        if self.there and offset == self.entry.size:
            return
        if self.there and not self._folder.overwrite:
            raise InTheWayError(f"{shown(self.entry.name)} is there already, and is different")
        if self.there or offset == 0:
            self._forget()
            self.there = False
        if self._fd < 0:
            self._claim(make=True)
        os.ftruncate(self._fd, offset)
        os.lseek(self._fd, offset, os.SEEK_SET)

    def write(self, data: bytes) -> None:
        """Write the next bytes."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._sha256.update(data)

    def digest(self) -> str:
        """Return the SHA-256 of what is there so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def finish(self, sha256: str) -> None:
        """Give the file its name, mode and time.

        Args:
            sha256: what its digest shall be, in hexadecimal.

        Raises:
            InTheWayError: a file has taken the name, or somebody the part.
            OSError: the digest is another one; what came is removed.
        """
        if not self.there and not self._is_ours():
            self.close()
            text = "was moved or removed by another process"
            raise InTheWayError(f"the part of {shown(self.entry.name)} {text}")
        if sha256 != self.digest():
            if not self.there:
                self._folder.remove_part(self.entry.name)
            self.close()
            raise OSError(f"{shown(self.entry.name)} arrived damaged: its digest is another one")
        if not self.there:
            os.fchmod(self._fd, self.entry.mode & 0o777 & ~self._folder.mask)
            os.utime(self._fd, ns=(self.entry.mtime_ns, self.entry.mtime_ns))
            try:
                self._folder.give_name(self.entry.name)
            except FileExistsError:
                raise InTheWayError(f"{shown(self.entry.name)} is there already") from None
        self.close()

    def close(self) -> None:
        """Let go of it; an empty part is removed, another one is kept for the next time."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            if os.fstat(self._fd).st_size == 0 and self.entry.size and self._is_ours():
                self._folder.remove_part(self.entry.name)
        self._release()

    def _hash(self, fd: int) -> int:
        length = 0
        while length <= self.entry.size and (data := os.read(fd, CONTENT_MAX)):
            self._sha256.update(data)
            length += len(data)
        return length

    def _forget(self) -> None:
        self._sha256 = hashlib.sha256()
        self.offset = 0

    def _is_ours(self) -> bool:
        return self._folder.is_part(self.entry.name, self._fd)

    def _claim(self, *, make: bool) -> None:
        """Open the part, locked.

        Raises:
            FileNotFoundError: there is none.
            InTheWayError: another process has it.
        """
        for _ in range(CLAIMS):
            self._fd = self._folder.open_part(self.entry.name, make=make)
            self._lock()
            # Whoever had it may have given it its name, or removed it, before we had the lock.
            if self._is_ours():
                return
            self._release()
        raise InTheWayError(f"another process keeps taking the part of {shown(self.entry.name)}")

    def _release(self) -> None:
        os.close(self._fd)
        self._fd = -1

    def _lock(self) -> None:
        """Keep a second receiver, of the same file into the same folder, out."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Not by close(), which removes an empty part: it is the other receiver's.
            self._release()
            if error.errno == errno.EWOULDBLOCK:
                text = f"{shown(self.entry.name)} is being received by another process"
                raise InTheWayError(text) from None
            raise

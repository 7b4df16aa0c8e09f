"""The sender's disk: what there is to send, and its bytes, if nobody changes them meanwhile.

Not for sending. A link that the user names is followed, since it is what the user means; inside
of folders links are not, and neither they nor devices, pipes and sockets are sent.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from peer.core.transfer.manifest import Manifest
from peer.core.transfer.messages import Entry
from peer.core.transfer.names import is_part, shown
from peer.errors import UsageError
from rendezvous.protocol.errors import ProtocolError

OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: were it a pipe by now, nothing waits for its writer."""


class ChangedError(OSError):
    """A file is not any more what it was when it was listed."""


@dataclass(slots=True)
class Listing:
    """What is sent."""

    entries: list[Entry] = field(default_factory=list)
    """Each folder before what is in it."""
    paths: list[str] = field(default_factory=list)
    """Of each file, in the order of the list."""
    manifest: Manifest = field(default_factory=Manifest)
    left_out: list[str] = field(default_factory=list)
    """What is not sent, each with the reason, for people."""


def list_files(paths: Sequence[str]) -> Listing:
    """List files, and folders with all that is in them.

    Args:
        paths: the user's; each arrives under its last name.

    Returns:
        What to send.

    Raises:
        UsageError: one is not there, cannot be read, or has a name that no receiver takes; two
            have one name.
    """
    listing = Listing()
    for path in paths:
        if not path:  # to os.path that is the current folder
            raise UsageError("an empty path cannot be sent", "Write . for the current folder")
        name = os.path.basename(os.path.abspath(path))
        try:
            for entry, where in _walk(os.path.realpath(path), name, listing.left_out, named=True):
                listing.manifest.add([entry])
                listing.entries.append(entry)
                if entry.kind == "file":
                    listing.paths.append(where)
        except OSError as error:
            where = shown(os.fsdecode(error.filename or path))
            raise UsageError(f"{where} cannot be sent: {error.strerror or error}") from None
        except ProtocolError as error:
            raise UsageError(
                f"{shown(path)} cannot be sent: {error}", "Rename it, or leave it out"
            ) from None
    return listing


def _walk(
    path: str, name: str, left_out: list[str], *, named: bool = False
) -> Iterator[tuple[Entry, str]]:
    status = os.stat(path, follow_symlinks=False)
    kind = stat.S_IFMT(status.st_mode)
    mode = stat.S_IMODE(status.st_mode) & 0o777
    if kind == stat.S_IFREG:
        if is_part(name.rpartition("/")[2]):
            left_out.append(f"{shown(name)} is not sent: it is the part of a file to come")
            return
        if not os.access(path, os.R_OK):
            raise PermissionError(None, "it cannot be read", path)
        yield Entry(name, "file", status.st_size, mode, status.st_mtime_ns), path
    elif kind == stat.S_IFDIR:
        yield Entry(name, "folder", 0, mode, status.st_mtime_ns), path
        for inside in sorted(os.listdir(path)):
            yield from _walk(os.path.join(path, inside), f"{name}/{inside}", left_out)
    elif named:
        raise OSError(None, "it is neither a file nor a folder", path)
    else:
        what = "a link" if kind == stat.S_IFLNK else "no file"
        left_out.append(f"{shown(name)} is not sent: it is {what}")


class Source:
    """A file that is being sent; its methods wait for the disk, and raise OSError only."""

    def __init__(self, path: str, entry: Entry) -> None:
        """Open it.

        Args:
            path: where it is.
            entry: what was said of it.
        """
        self._entry = entry
        self._fd = os.open(path, OPEN)
        self._sha256 = hashlib.sha256()
        self.left = entry.size
        """Bytes that were not read yet."""
        try:
            self._check()
        except OSError:
            os.close(self._fd)
            raise

    def digest(self) -> str:
        """Return the SHA-256 of what was read so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def skip(self, length: int, block: int) -> str:
        """Read what the receiver has already.

        Args:
            length: how much that is.
            block: bytes to read at once.

        Returns:
            Its digest.
        """
        keep = self.left - length
        while self.left > keep:
            self.read(min(block, self.left - keep))
        return self.digest()

    def rewind(self) -> None:
        """Start over."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._sha256 = hashlib.sha256()
        self.left = self._entry.size

    def read(self, most: int) -> bytes:
        """Return the next bytes, at least one, and at most what was listed.

        Args:
            most: at least 1.

        Raises:
            ChangedError: it has become shorter.
        """
        data = os.read(self._fd, min(most, self.left))
        if not data:
            raise ChangedError("it became shorter while it was being sent")
        self._sha256.update(data)
        self.left -= len(data)
        return data

    def finish(self) -> str:
        """Close it at its end.

        Returns:
            Its digest.

        Raises:
            ChangedError: it was written since it was listed.
        """
        self._check()
        return self.digest()

    def close(self) -> None:
        """Close it; again: nothing happens."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _check(self) -> None:
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            raise ChangedError("it is no file any more")
        if (status.st_size, status.st_mtime_ns) != (self._entry.size, self._entry.mtime_ns):
            raise ChangedError("it changed since it was listed")

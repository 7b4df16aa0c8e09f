"""The list of what is offered: built by the sender, checked by the receiver as it comes.

Not for the disk. A list that passes names every file once, and every folder before what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from peer.core.transfer.messages import (
    BATCH_BYTES,
    BATCH_MAX,
    SIZE_MAX,
    Entries,
    Entry,
    Offered,
)
from peer.core.transfer.names import components, shown
from rendezvous.protocol.errors import ProtocolError

ENTRIES_MAX = 100_000
"""Files and folders of a transfer; about 300 bytes of memory each, beside their names."""
NAMES_MAX = 16 * 1024**2
"""Bytes of all names, which are kept more than once."""


@dataclass(slots=True)
class Manifest:
    """What is offered, in the order of its coming."""

    files: list[Entry] = field(default_factory=list)
    """A message calls a file by its place in this list."""
    folders: list[Entry] = field(default_factory=list)
    size: int = 0
    """Bytes of all files."""
    _kinds: dict[str, str] = field(default_factory=dict)
    _names: int = 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Take some more.

        Raises:
            ProtocolError: one is refused, see :func:`peer.core.transfer.names.components`; comes
                twice; is in no folder that came before; or there are too many.
        """
        for entry in entries:
            parts = components(entry.name)
            if entry.name in self._kinds:
                raise ProtocolError(f"the name {shown(entry.name)} comes twice")
            parent = "/".join(parts[:-1])
            if parent and self._kinds.get(parent) != "folder":
                raise ProtocolError(f"{shown(entry.name)} is in no folder that was offered")
            if len(self._kinds) == ENTRIES_MAX:
                raise ProtocolError(f"more than {ENTRIES_MAX:,} files and folders are offered")
            self._names += len(entry.name.encode())
            if self._names > NAMES_MAX:
                raise ProtocolError("the names of what is offered are too long together")
            if self.size + entry.size > SIZE_MAX or (entry.kind == "folder" and entry.size):
                raise ProtocolError(f"{shown(entry.name)} cannot have {entry.size} bytes")
            self._kinds[entry.name] = entry.kind
            self.size += entry.size
            (self.files if entry.kind == "file" else self.folders).append(entry)

    @property
    def offered(self) -> Offered:
        """The totals."""
        return Offered(len(self.files), len(self.folders), self.size)

    def check(self, said: Offered) -> None:
        """Compare the totals with what the sender says they are.

        Raises:
            ProtocolError: they differ, or there is nothing.
        """
        if said != self.offered:
            raise ProtocolError("the list of files does not add up to what was said of it")
        if not self._kinds:
            raise ProtocolError("nothing is offered")


def batches(entries: Iterable[Entry]) -> Iterator[Entries]:
    """Divide a list into messages.

    Args:
        entries: each folder before what is in it.
    """
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.name.encode())
        if len(batch) == BATCH_MAX or size >= BATCH_BYTES:
            yield Entries(tuple(batch))
            batch, size = [], 0
    if batch:
        yield Entries(tuple(batch))

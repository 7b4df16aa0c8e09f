"""Who says what when, while files are sent: two machines, one for each side's view.

Not for bytes (:mod:`peer.core.transfer.messages`) and not for the disk. What comes in is taken or
raises :class:`ProtocolError`; files come in the order of the list, one after the other.
"""

from __future__ import annotations

from enum import Enum, auto

from peer.core.transfer.manifest import Manifest
from peer.core.transfer.messages import (
    Accepted,
    Begin,
    Complete,
    Entries,
    Having,
    Message,
    Offered,
    Part,
    Stored,
)
from rendezvous.protocol.errors import ProtocolError


class Content:
    """Bytes of a file came."""


class Taking(Enum):
    """Where the receiver is."""

    LISTING = auto()
    """The list is coming."""
    BETWEEN = auto()
    """It was accepted; no file is open."""
    FILE = auto()
    """A file was begun."""


TAKING: dict[tuple[Taking, type], Taking] = {
    (Taking.LISTING, Entries): Taking.LISTING,
    (Taking.LISTING, Offered): Taking.BETWEEN,
    (Taking.BETWEEN, Begin): Taking.FILE,
    (Taking.FILE, Content): Taking.FILE,
    (Taking.FILE, Complete): Taking.BETWEEN,
}
"""What a sender says."""


class Giving(Enum):
    """Where the sender is."""

    ASKING = auto()
    """The receiver has not said yet that it wants the files."""
    SENDING = auto()
    """It has."""


GIVING: dict[tuple[Giving, type], Giving] = {
    (Giving.ASKING, Having): Giving.ASKING,
    (Giving.ASKING, Accepted): Giving.SENDING,
    (Giving.SENDING, Stored): Giving.SENDING,
}
"""What a receiver says."""


class Receiving:
    """The receiver's account of what the sender says."""

    def __init__(self) -> None:
        self.state = Taking.LISTING
        self.manifest = Manifest()
        self.parts: dict[int, Part] = {}
        """What the receiver has said that it has; set before the first BEGIN."""
        self.next_file = 0
        """The file that is open, or the one that comes next."""
        self.left = 0
        """Bytes of the open file that have not come."""

    @property
    def done(self) -> bool:
        """Every file has come."""
        return self.state is Taking.BETWEEN and self.next_file == len(self.manifest.files)

    def take(self, message: Message) -> None:
        """Take a message.

        Raises:
            ProtocolError: it may not come now, or not with this content.
        """
        after = TAKING.get((self.state, type(message)))
        if after is None:
            raise ProtocolError(f"{type(message).__name__.upper()} out of turn")
        match message:
            case Entries(entries):
                self.manifest.add(entries)
            case Offered():
                self.manifest.check(message)
            case Begin():
                self._begin(message)
            case Complete():
                if self.left:
                    raise ProtocolError(f"a file ended {self.left} bytes early")
                self.next_file += 1
        self.state = after

    def take_content(self, length: int) -> None:
        """Take the header of bytes of a file.

        Raises:
            ProtocolError: no file is open, or it is not so long.
        """
        if (self.state, Content) not in TAKING:
            raise ProtocolError("CONTENT out of turn")
        if length > self.left:
            raise ProtocolError("more bytes of a file came than were announced")
        self.left -= length

    def _begin(self, message: Begin) -> None:
        files = self.manifest.files
        if message.file != self.next_file or self.next_file >= len(files):
            raise ProtocolError(f"file {message.file} was begun where {self.next_file} was due")
        part = self.parts.get(message.file)
        if message.offset not in (0, part.offset if part else 0):
            raise ProtocolError(f"a file was begun at byte {message.offset}")
        self.left = files[message.file].size - message.offset


class Sending:
    """The sender's account of what the receiver says."""

    def __init__(self, manifest: Manifest) -> None:
        """Start.

        Args:
            manifest: what was offered.
        """
        self.state = Giving.ASKING
        self.parts: dict[int, Part] = {}
        self.begun = 0
        """Files that were sent whole."""
        self.stored = 0
        """Files of which the receiver says that it has them."""
        self._manifest = manifest

    @property
    def done(self) -> bool:
        """The receiver has every file."""
        return self.state is Giving.SENDING and self.stored == len(self._manifest.files)

    def take(self, message: Message) -> None:
        """Take a message.

        Raises:
            ProtocolError: it may not come now, or not with this content.
        """
        after = GIVING.get((self.state, type(message)))
        if after is None:
            raise ProtocolError(f"{type(message).__name__.upper()} out of turn")
        match message:
            case Having(parts):
                for part in parts:
                    self._check(part)
                    self.parts[part.file] = part
            case Stored(file):
                if file != self.stored or file >= self.begun:
                    raise ProtocolError(f"file {file} was not sent yet, or is stored already")
                self.stored += 1
        self.state = after

    def _check(self, part: Part) -> None:
        files = self._manifest.files
        if part.file in self.parts or part.file >= len(files):
            raise ProtocolError(f"the receiver cannot have a part of file {part.file}")
        if part.offset > files[part.file].size:
            raise ProtocolError(f"the receiver cannot have {part.offset} bytes of it")

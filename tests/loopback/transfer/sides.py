"""Both sides of a transfer in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from peer.apps.receive import Ask, Receiver
from peer.apps.send import Sender
from peer.core.trace import FilesDone, TraceEvent
from peer.io.transfer.folder import Folder
from peer.io.transfer.source import list_files
from tests.loopback.streams import two_streams

Ends = tuple[BaseException | None, BaseException | None]


class Transfer:
    """A sender and a receiver, and what they tell."""

    def __init__(self, to: Path, *, overwrite: bool = False, ask: Ask | None = None) -> None:
        """Prepare."""
        self.folder = Folder(str(to), overwrite=overwrite)
        self.receiver = Receiver(self.folder, ask)
        self.told: list[TraceEvent] = []
        self.told_sender: list[TraceEvent] = []
        self.tell_sender: Callable[[TraceEvent], None] = self.told_sender.append

    async def run(self, *paths: Path) -> Ends:
        """Send; returns how each side ended."""
        sender = Sender(list_files([str(path) for path in paths]))
        async with two_streams() as (a, b):
            ends = await asyncio.gather(
                sender.use(a, self.tell_sender),
                self.receiver.use(b, self.told.append),
                return_exceptions=True,
            )
        self.folder.close()
        return ends[0], ends[1]

    @property
    def transferred(self) -> int:
        """Bytes that were not there already, as both sides say."""
        one, other = self.told[-1], self.told_sender[-1]
        assert isinstance(one, FilesDone)
        assert isinstance(other, FilesDone)
        assert one.transferred == other.transferred
        return one.transferred


def contents(top: Path) -> dict[str, bytes | None]:
    """Return what is in a folder; None stands for a folder."""
    return {
        str(path.relative_to(top)): None if path.is_dir() else path.read_bytes()
        for path in top.rglob("*")
    }

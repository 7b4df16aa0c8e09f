"""``midair receive``: files and folders from the partner.

Not for the order of messages (:mod:`peer.core.transfer.order`) and not for the disk
(:mod:`peer.io.transfer.folder`, :mod:`peer.io.transfer.target`).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

from peer.apps.progress import Progress
from peer.apps.send import FELL_SILENT, offered
from peer.core.offer import Offer, Side, Use
from peer.core.trace import FilesDone, FileStored, TraceEvent, Warned
from peer.core.transfer.messages import (
    BATCH_MAX,
    CONTENT_MAX,
    Accepted,
    Begin,
    Complete,
    Entry,
    Having,
    Part,
    Stored,
)
from peer.core.transfer.names import shown
from peer.core.transfer.order import Receiving, Taking
from peer.core.units import data_size
from peer.errors import StreamBrokenError, TransferError
from peer.io.clock import SystemClock
from peer.io.offer import exchange
from peer.io.stdio import Blocking, read_some
from peer.io.stream import Stream
from peer.io.transfer.folder import Folder
from peer.io.transfer.talk import ContentComes, Talk
from peer.io.transfer.target import Target
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.times import NS_PER_MS

PARTS_MAX = 64
"""Incomplete files that are taken up again: each keeps a descriptor open. A break leaves one."""

Ask = Callable[[], Awaitable[bool]]


class _DeclinedError(Exception):
    """The user does not want the files."""


class Receiver:
    """What ``midair receive`` uses its connection for."""

    def __init__(self, folder: Folder, ask: Ask | None, *, bar: bool = True) -> None:
        """Prepare.

        Args:
            folder: where files go; closed by the caller.
            ask: asks the user, who has been told what is offered; None: accept.
            bar: show one, if standard error is a terminal.
        """
        self._folder = folder
        self._ask = ask
        self._bar = bar
        self._order = Receiving()
        self._targets: dict[int, Target] = {}
        self._resumed = 0
        self._at: Entry | None = None
        """What the disk is about to be asked for, if it is one file."""

    async def use(self, stream: Stream, emit: Callable[[TraceEvent], None]) -> None:
        """Receive; see :data:`peer.apps.connected.Use`.

        Raises:
            TransferError: the user declined, something is in the way, or the disk refuses.
            BrokenError: the connection broke.
        """
        self._emit = emit
        self._talk = talk = Talk(stream)
        now = SystemClock().now
        try:
            await exchange(stream, Offer(Use.FILES, Side.TAKES))
            with Blocking("midair-file") as self._thread:
                try:
                    await self._agree()
                    started_at = now()
                    size = self._order.manifest.size
                    with Progress(emit, now, size=size, bar=self._bar) as self._progress:
                        await self._receive()
                    elapsed_ms = round((now() - started_at) / NS_PER_MS, 3)
                finally:
                    for target in self._targets.values():
                        self._thread.start(target.close)
                    # The folder is its owner's to close: nothing may still be at work in it.
                    await asyncio.wait({self._thread.start(lambda: None)})
            if not await talk.end():
                emit(Warned(f"every file is here; your partner may not know, and {FELL_SILENT}"))
        except _DeclinedError:
            await talk.stop("the files were declined")
            raise TransferError("you declined the files") from None
        except OSError as error:
            text = _why(error, self._at)
            await talk.stop(text)
            raise TransferError(text, _hint(error)) from None
        except UnicodeError:
            await talk.stop("a name cannot be written here")
            text = "a name cannot be written in this locale's encoding"
            raise TransferError(text, "Set LC_ALL=C.UTF-8 and receive again") from None
        except (ProtocolError, StreamBrokenError) as error:
            raise await talk.broken(error) from None
        except BaseException:
            talk.interrupt()
            raise
        said = self._order.manifest.offered
        came = said.size - self._resumed
        emit(FilesDone("received", said.files, said.folders, said.size, came, elapsed_ms))

    async def _agree(self) -> None:
        """Hear what is offered, see that it fits, ask the user, say what is there already."""
        order, folder, call = self._order, self._folder, self._thread.call
        while order.state is Taking.LISTING:
            await self._message()
        self._emit(offered(order.manifest))
        await call(folder.check, order.manifest)
        if self._ask is not None and not await self._ask():
            raise _DeclinedError
        parts = []
        for at, self._at in enumerate(order.manifest.files):
            target = Target(folder, self._at)
            digest = await call(target.look)
            if digest is None:
                continue
            if target.there or len(self._targets) < PARTS_MAX:
                parts.append(Part(at, target.offset, digest))
                self._targets[at] = target
            else:
                await call(target.close)
        self._at = None
        needed = order.manifest.size - sum(part.offset for part in parts)
        free = await call(folder.free)
        if needed > free:
            raise OSError(f"{data_size(needed)} are needed, and {data_size(free)} are free there")
        order.parts = {part.file: part for part in parts}
        for first in range(0, len(parts), BATCH_MAX):
            await self._talk.say(Having(tuple(parts[first : first + BATCH_MAX])))
        await call(folder.make, order.manifest)
        await self._talk.say(Accepted())

    async def _message(self) -> Begin | Complete | None:
        message = await self._talk.hear()
        if isinstance(message, ContentComes):
            raise ProtocolError("CONTENT out of turn")
        self._order.take(message)
        return message if isinstance(message, Begin | Complete) else None

    async def _receive(self) -> None:
        order = self._order
        while not order.done:
            at = order.next_file
            message = await self._message()
            assert isinstance(message, Begin)  # order lets nothing else come
            self._at = entry = order.manifest.files[at]
            target = self._targets.setdefault(at, Target(self._folder, entry))
            await self._thread.call(target.begin, message.offset)
            self._resumed += message.offset
            self._progress.add(message.offset)
            digest = await self._content(target)
            await self._thread.call(target.finish, digest)
            del self._targets[at]
            await self._talk.say(Stored(at))
            self._emit(FileStored(shown(entry.name), entry.size, message.offset))

    async def _content(self, target: Target) -> str:
        """Receive a file's bytes; while some are written, the next ones come.

        Returns:
            The digest that the sender says they have.
        """
        writing = None
        while True:
            heard = await self._talk.hear()
            if not isinstance(heard, ContentComes):
                self._order.take(heard)
                assert isinstance(heard, Complete)
                break
            self._order.take_content(heard.length)
            left = heard.length
            while left:
                data = await self._talk.content(min(left, CONTENT_MAX))
                left -= len(data)
                if writing is not None:
                    await writing
                writing = self._thread.start(target.write, data)
                self._progress.add(len(data))
        if writing is not None:
            await writing
        return heard.sha256


def _why(error: OSError, at: Entry | None) -> str:
    """Say what the disk said, and of what; our own words name it already."""
    if error.strerror is None:
        return str(error)
    what = at.name if at is not None else os.fsdecode(error.filename or "")
    return f"{shown(what)}: {error.strerror}" if what else error.strerror


def _hint(error: OSError) -> str:
    if "is there already" in str(error):
        return "Receive into another folder with --to, or replace files with --overwrite"
    return "What has arrived is kept; nothing else was changed"


async def ask_terminal() -> bool:
    """Ask the user on standard error, who answers on standard input."""
    if sys.stderr is None:
        return False  # nobody would see the question
    sys.stderr.write("midair: accept? [y/N] ")
    sys.stderr.flush()
    with Blocking("midair-answer") as thread:
        try:
            answer = await thread.call(read_some, 0)
        except asyncio.CancelledError:
            sys.stderr.write("\n")  # what is told next begins a line of its own
            raise
    return answer.strip().lower() in (b"y", b"yes")

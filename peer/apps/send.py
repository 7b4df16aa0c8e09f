"""``midair send``: files and folders to the partner.

Not for the order of messages (:mod:`peer.core.transfer.order`) and not for the disk
(:mod:`peer.io.transfer.source`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from peer.apps.progress import Progress
from peer.core.offer import Offer, Side, Use
from peer.core.times import MonoNs
from peer.core.trace import Asking, FilesDone, FilesOffered, FileStored, TraceEvent, Warned
from peer.core.transfer.manifest import Manifest, batches
from peer.core.transfer.messages import CONTENT_MAX, Begin, Complete
from peer.core.transfer.names import shown
from peer.core.transfer.order import Giving, Sending
from peer.errors import MidairError, StreamBrokenError, TransferError
from peer.io.clock import SystemClock
from peer.io.offer import exchange
from peer.io.stdio import Blocking
from peer.io.stream import Stream
from peer.io.transfer.source import Listing, Source
from peer.io.transfer.talk import ContentComes, Talk
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.times import NS_PER_MS

NAMES_TOLD = 5
"""Names of a list that are told; the rest is counted."""
LEFT_OUT_TOLD = 10
"""Links and the like that are told one by one."""

FELL_SILENT = "did not answer any more: look whether it was stopped there"
"""What is told of a partner that does not say goodbye. Nothing is missing, and exit code 0 true."""


class Sender:
    """What ``midair send`` uses its connection for."""

    def __init__(self, listing: Listing, *, bar: bool = True) -> None:
        """Prepare.

        Args:
            listing: what to send.
            bar: show one, if standard error is a terminal.
        """
        self._listing = listing
        self._bar = bar
        self._order = Sending(listing.manifest)
        self._accepted = asyncio.Event()
        self._agreed: dict[int, int] = {}
        self._failure: TransferError | None = None
        self._started_at = MonoNs(0)

    async def use(self, stream: Stream, emit: Callable[[TraceEvent], None]) -> None:
        """Send; see :data:`peer.apps.connected.Use`.

        Raises:
            TransferError: the partner declined or stopped, or a file changed.
            BrokenError: the connection broke.
        """
        self._emit = emit
        self._talk = talk = Talk(stream)
        self._now = SystemClock().now
        try:
            await exchange(stream, Offer(Use.FILES, Side.GIVES))
            emit(offered(self._listing.manifest))
            tell_left_out(self._listing, emit)
            with Progress(emit, self._now, size=self._listing.manifest.size, bar=self._bar) as bar:
                self._progress = bar
                done = await self._both()
            if not await talk.end():
                emit(Warned(f"your partner has every file, and {FELL_SILENT}"))
        except (ProtocolError, StreamBrokenError) as error:
            if self._failure is not None:
                raise self._failure from None
            raise await talk.broken(error) from None
        except BaseException:
            talk.interrupt()
            raise
        emit(done)

    async def _both(self) -> FilesDone:
        """Talk and listen at once."""
        failure: MidairError | ProtocolError | None = None
        async with asyncio.TaskGroup() as group:
            giving = group.create_task(self._give())
            try:
                await self._hear()
            except (MidairError, ProtocolError) as error:
                failure = error  # the group would wrap it
                # Unless it is about to tell the partner why.
                if self._failure is None:
                    giving.cancel()
        if failure is not None:
            raise failure
        said = self._listing.manifest.offered
        elapsed_ms = round((self._now() - self._started_at) / NS_PER_MS, 3)
        sent = said.size - sum(self._agreed.values())
        return FilesDone("sent", said.files, said.folders, said.size, sent, elapsed_ms)

    async def _hear(self) -> None:
        files = self._listing.manifest.files
        while not self._order.done:
            message = await self._talk.hear()
            if isinstance(message, ContentComes):
                raise ProtocolError("CONTENT out of turn")
            before = self._order.stored
            self._order.take(message)
            if self._order.state is Giving.SENDING:
                self._accepted.set()
            if self._order.stored > before:
                entry = files[before]
                self._emit(FileStored(shown(entry.name), entry.size, self._agreed[before]))

    async def _give(self) -> None:
        listing, at = self._listing, 0
        try:
            for batch in batches(listing.entries):
                await self._talk.say(batch)
            await self._talk.say(listing.manifest.offered)
            self._emit(Asking())
            await self._accepted.wait()
            self._started_at = self._now()
            with Blocking("midair-file") as thread:
                for at in range(len(listing.paths)):
                    await self._file(thread, at)
        except StreamBrokenError:
            return  # whoever listens meets it too, once what had come is heard
        except OSError as error:
            name = shown(listing.manifest.files[at].name)
            text = f"{name}: {error.strerror or error}"
            self._failure = TransferError(text, "Send it again; what has arrived is kept")
            await self._talk.stop(text)

    async def _file(self, thread: Blocking, at: int) -> None:
        entry, part = self._listing.manifest.files[at], self._order.parts.get(at)
        source = await thread.call(Source, self._listing.paths[at], entry)
        try:
            offset = 0
            if part is not None:
                if await thread.call(source.skip, part.offset, CONTENT_MAX) == part.sha256:
                    offset = part.offset
                else:
                    await thread.call(source.rewind)
            self._agreed[at] = offset
            self._progress.add(offset)
            await self._talk.say(Begin(at, offset))
            await self._content(thread, source)
            digest = await thread.call(source.finish)
            self._order.begun = at + 1
            await self._talk.say(Complete(digest))
        finally:
            # In its thread: after a read that may be under way.
            thread.start(source.close)

    async def _content(self, thread: Blocking, source: Source) -> None:
        """Send what is left of a file; the next block is read while this one is sent."""
        if not source.left:
            return
        reading = thread.start(source.read, CONTENT_MAX)
        try:
            while True:
                data = await reading
                last = not source.left
                if not last:
                    reading = thread.start(source.read, CONTENT_MAX)
                await self._talk.give(data)
                self._progress.add(len(data))
                if last:
                    return
        finally:
            reading.cancel()


def offered(manifest: Manifest) -> FilesOffered:
    """Say what is sent.

    Args:
        manifest: the list of it.
    """
    said = manifest.offered
    entries = [*manifest.folders, *manifest.files]
    names = [shown(entry.name) for entry in sorted(entries[:1000], key=lambda e: e.name.count("/"))]
    return FilesOffered(said.files, said.folders, said.size, names[:NAMES_TOLD])


def tell_left_out(listing: Listing, emit: Callable[[TraceEvent], None]) -> None:
    """Say what is not sent, and why."""
    for text in listing.left_out[:LEFT_OUT_TOLD]:
        emit(Warned(text))
    more = len(listing.left_out) - LEFT_OUT_TOLD
    if more > 0:
        emit(Warned(f"{more:,} more links and the like are not sent"))

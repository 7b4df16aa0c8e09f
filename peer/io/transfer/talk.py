"""Messages and contents of files over a stream.

Not for what they mean: :mod:`peer.core.transfer.order`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from peer.core.transfer import messages
from peer.core.transfer.messages import HEADER, REASON_MAX, Message, Stopped, Type
from peer.core.transfer.names import shown
from peer.errors import BrokenError, StreamBrokenError, TransferError
from peer.io.patience import Patience
from peer.io.stream import Stream
from rendezvous.protocol.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class ContentComes:
    """So many bytes of a file are next: see :meth:`Talk.content`."""

    length: int


class Talk:
    """One side of a transfer's stream."""

    def __init__(self, stream: Stream) -> None:
        """Start, where both sides have said what they are here for.

        Args:
            stream: closed by :meth:`end`, :meth:`stop` or :meth:`broken`.
        """
        self._stream = stream

    async def say(self, message: Message) -> None:
        """Send a message.

        Raises:
            StreamBrokenError: the stream broke.
        """
        await self._stream.write(messages.encode(message))

    async def give(self, content: bytes) -> None:
        """Send bytes of a file.

        Args:
            content: 1 to CONTENT_MAX bytes.

        Raises:
            StreamBrokenError: the stream broke.
        """
        # Not joined: that would copy the megabyte.
        await self._stream.write(messages.content_header(len(content)))
        await self._stream.write(content)

    async def hear(self) -> Message | ContentComes:
        """Return what comes next.

        Raises:
            TransferError: the partner stopped.
            ProtocolError: it said something else, or nothing more.
            StreamBrokenError: the stream broke.
        """
        kind, length = messages.decode_header(await self._exactly(HEADER.size))
        if kind is Type.CONTENT:
            return ContentComes(length)
        message = messages.decode(await self._exactly(length))
        if isinstance(message, Stopped):
            raise TransferError(f"your partner stopped: {shown(message.reason)}")
        return message

    async def content(self, most: int) -> bytes:
        """Return some bytes of a file, at least one.

        Args:
            most: how many have not come yet.

        Raises:
            ProtocolError: the partner ended instead.
            StreamBrokenError: the stream broke.
        """
        data = await self._stream.read(most)
        if not data:
            raise ProtocolError("the partner ended in the middle of a file")
        return data

    async def end(self) -> bool:
        """End in order; when this is called, everything that counts has been said.

        A stream that breaks here harms nothing: one side may not learn that the other one knows.

        Returns:
            Whether the partner went on to the end, or left; False: it was silent for too long.
        """
        with Patience(self._stream) as patience, contextlib.suppress(StreamBrokenError):
            await self._stream.close()
        return not patience.lost

    async def stop(self, reason: str) -> None:
        """Tell the partner that, and why, this side does not go on; leave.

        Args:
            reason: a sentence without a full stop.
        """
        with Patience(self._stream, reason), contextlib.suppress(StreamBrokenError):
            await self.say(Stopped(reason[:REASON_MAX]))
            self._stream.abort(reason)
            await self._stream.wait_closed()

    async def broken(self, error: ProtocolError | StreamBrokenError) -> BrokenError:
        """Leave a stream that cannot be used any more.

        Args:
            error: what it was.

        Returns:
            What to raise instead.
        """
        if isinstance(error, StreamBrokenError):
            made = BrokenError(
                f"the connection broke: {error.reason}",
                "Run both commands again, with a new code: what has arrived is kept, and the rest "
                "follows",
            )
        else:
            self._stream.abort(f"protocol error: {error}")
            made = BrokenError(
                f"your partner broke the rules: {error}", "Install equal versions on both sides"
            )
        with contextlib.suppress(StreamBrokenError):
            await self._stream.wait_closed()
        return made

    def interrupt(self) -> None:
        """Leave at once."""
        self._stream.abort("interrupted")

    async def _exactly(self, n: int) -> bytes:
        data = await self._stream.read(n)
        while len(data) < n:
            piece = await self._stream.read(n - len(data))
            if not piece:
                raise ProtocolError("the partner ended before all was said")
            data += piece
        return data

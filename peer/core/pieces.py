"""Bytes that wait for their reader: first in, first out, copied as seldom as can be.

Not for waiting: :mod:`peer.io.stream` and :mod:`peer.io.mux` do that. A ``bytearray`` that grows at
one end and shrinks at the other moves everything in it again and again: it took a third of the
receiver's time. Large pieces are handed on as they came; small ones are gathered, so that a
partner who sends single bytes cannot make each of them cost an object.
"""

from __future__ import annotations

from collections import deque

SMALL = 4 * 1024
"""Bytes below which a piece is copied to its neighbours: a page, whose copy costs nothing."""
GATHERED = 16 * 1024
"""Bytes from which a gathered piece is full: a TLS record (RFC 8446 section 5.1)."""
JOINED = 64 * 1024
"""Bytes up to which pieces are joined: above it a copy costs more than another call."""


class Pieces:
    """A queue of bytes."""

    def __init__(self) -> None:
        self._pieces: deque[bytes | bytearray] = deque()
        self._length = 0

    def __len__(self) -> int:
        """Return how many bytes wait."""
        return self._length

    def append(self, data: bytes | memoryview) -> None:
        """Add bytes at the end; a view is copied."""
        self._length += len(data)
        last = self._pieces[-1] if self._pieces else b""
        if isinstance(last, bytearray) and len(last) < GATHERED:
            last += data
        elif len(data) < SMALL:
            self._pieces.append(bytearray(data))
        else:
            self._pieces.append(bytes(data))

    def take(self, most: int) -> bytes:
        """Remove bytes from the front.

        Args:
            most: at least 1.

        Returns:
            The first piece, with the following ones up to JOINED bytes; or the beginning of it;
            b"" if nothing waits.
        """
        if not self._pieces:
            return b""
        if len(self._pieces[0]) > most:
            first = memoryview(self._pieces[0])
            data, self._pieces[0] = bytes(first[:most]), bytes(first[most:])
        else:
            data = self._whole(min(most, JOINED))
        self._length -= len(data)
        return data

    def _whole(self, most: int) -> bytes:
        fitting = [self._pieces.popleft()]
        length = len(fitting[0])
        while self._pieces and length + len(self._pieces[0]) <= most:
            fitting.append(self._pieces.popleft())
            length += len(fitting[-1])
        first = fitting[0]
        # Joining would copy.
        return first if len(fitting) == 1 and isinstance(first, bytes) else b"".join(fitting)

    def clear(self) -> int:
        """Remove everything; return how many bytes that was."""
        length, self._length = self._length, 0
        self._pieces.clear()
        return length

"""A limit for the end of a stream: who is silent for long is not waited for any more.

Not for a stream in use: there a partner may be idle, or stopped by its user, for any time. At the
end, when everything that counts has arrived, only a few frames are missing, and they come by
themselves. A process that is stopped (SIGSTOP, a machine that thrashes) never sends them, while
its kernel goes on to answer keepalives.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from peer.io.stream import Stream

LOOK_S = 1.0
"""Between two looks at the stream."""
LOOKS = 25
"""So many in a row without any movement: as long as a host may be silent that has vanished, see
:data:`peer.io.wire.USER_TIMEOUT_MS`. A slow path or a slow reader moves a little every time."""

SILENT = "the partner was silent at the end"


class Patience:
    """As a context manager: aborts the stream, within, when nothing of it moves for long.

    Looks are counted, and not seconds: time when this host itself sleeps is not the partner's.
    """

    def __init__(self, stream: Stream, reason: str = SILENT, *, looks: int | None = None) -> None:
        """Prepare.

        Args:
            stream: the one to watch.
            reason: what the partner is told, one sentence without a full stop.
            looks: LOOKS, unless given.
        """
        self.lost = False
        """It was given up."""
        self._stream = stream
        self._moved = stream.moved
        self._reason = reason
        self._looks = LOOKS if looks is None else looks
        self._still = 0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._again()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        moved = self._stream.moved
        self._still = self._still + 1 if moved == self._moved else 0
        self._moved = moved
        if self._still < self._looks:
            self._again()
        else:
            self.lost = True
            self._stream.abort(self._reason)

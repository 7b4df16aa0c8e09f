"""How far a transfer is: a bar on a terminal, an event a second for programs.

Not for what was transferred in the end: the caller tells that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Self

from peer.core.times import MonoNs
from peer.core.trace import FilesProgress, TraceEvent
from rendezvous.protocol.times import NS_PER_MS, NS_PER_S

SHOW_NS = 100 * NS_PER_MS
"""Between two pictures of the bar: more often nobody sees, and each costs a millisecond."""


class Progress:
    """Bytes so far; as a context manager the bar is gone when it is left."""

    def __init__(
        self,
        emit: Callable[[TraceEvent], None],
        now: Callable[[], MonoNs],
        *,
        size: int,
        bar: bool,
    ) -> None:
        """Start.

        Args:
            emit: takes an event a second.
            now: the monotonic clock.
            size: bytes of all files.
            bar: show one, if standard error is a terminal.
        """
        self.done = 0
        """Bytes that are there, those from before included."""
        self._emit = emit
        self._now = now
        self._size = size
        self._told_at = now()
        self._shown_at = self._told_at
        self._stack = ExitStack()
        self._show: Callable[[int], None] | None = None
        self._wanted = bar and sys.stderr is not None and sys.stderr.isatty()

    def add(self, length: int) -> None:
        """Count bytes.

        Args:
            length: of them.
        """
        self.done += length
        now = self._now()
        if now - self._told_at >= NS_PER_S:
            self._told_at = now
            self._emit(FilesProgress(self.done, self._size))
        if self._wanted and now - self._shown_at >= SHOW_NS:
            self._shown_at = now
            # Not before there is something to show: the partner may still be asked.
            try:
                self._show = self._show or self._bar()
                self._show(self.done)
            except OSError:
                self._wanted = False  # the terminal has gone; the transfer has not

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        with suppress(OSError):
            self._stack.close()

    def _bar(self) -> Callable[[int], None]:
        # Only here: it takes longer to load than all the rest of a transfer.
        from rich import progress
        from rich.console import Console

        bar = self._stack.enter_context(
            progress.Progress(
                progress.BarColumn(),
                progress.DownloadColumn(),
                progress.TransferSpeedColumn(),
                progress.TimeRemainingColumn(),
                console=Console(stderr=True),
                auto_refresh=False,
                transient=True,
            )
        )
        task = bar.add_task("", total=self._size)

        def show(done: int) -> None:
            bar.update(task, completed=done, refresh=True)

        return show

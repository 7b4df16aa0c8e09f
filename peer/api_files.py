"""midair from Python: files and folders.

::

    await peer.send(["photos"], rendezvous=URL, on_code=print)
    await peer.receive(code, "inbox", rendezvous=URL, accept=lambda offered: offered.size < 10**9)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Unpack

from peer.api_arguments import Options, joining, opening
from peer.api_session import Emit, run
from peer.apps.receive import Receiver
from peer.apps.send import Sender
from peer.core.trace import FilesDone, FilesOffered, TraceEvent
from peer.errors import UsageError
from peer.io.transfer.folder import Folder
from peer.io.transfer.source import list_files

Path = str | os.PathLike[str]


async def send(
    paths: Sequence[Path],
    *,
    on_code: Callable[[str], None] | None = None,
    on_event: Emit = lambda _: None,
    **options: Unpack[Options],
) -> FilesDone:
    """Send files and folders.

    Args:
        paths: each arrives under its last name.
        on_code: called with the code, which the partner must be given; needed without a secret.
        on_event: told everything that happens: ``FilesProgress`` once a second, ``FileStored``, …
        options: see :class:`peer.api_arguments.Options`.

    Returns:
        What was sent; the partner has checked the digest of every file.

    Raises:
        TransferError: the partner declined or stopped, or a file changed.
        MidairError: see :mod:`peer.errors`.
    """
    sender = Sender(list_files([os.fspath(path) for path in paths]), bar=False)
    told = _Told(on_event)
    await run(opening(on_code, options, told), sender.use, told)
    return told.result()


async def receive(
    code: str | None,
    folder: Path,
    *,
    accept: Callable[[FilesOffered], bool] = lambda _: True,
    overwrite: bool = False,
    on_event: Emit = lambda _: None,
    **options: Unpack[Options],
) -> FilesDone:
    """Receive what the partner sends. After a break call it again: what has arrived is kept.

    Args:
        code: the partner's; None: with ``secret``.
        folder: where files go; nothing is written outside of it.
        accept: told what is offered; says whether to take it.
        overwrite: replace files that have an offered name.
        on_event: told everything that happens.
        options: see :class:`peer.api_arguments.Options`.

    Returns:
        What was received, every file complete and checked.

    Raises:
        TransferError: it was declined, something is in the way, or the disk refuses.
        MidairError: see :mod:`peer.errors`.
    """
    told = _Told(on_event)
    try:
        into = Folder(os.fspath(folder), overwrite=overwrite)
    except OSError as error:
        where = os.fspath(folder)
        raise UsageError(f"{where} cannot be written into: {error.strerror}") from None

    async def ask() -> bool:
        return accept(told.offered())

    try:
        receiver = Receiver(into, ask, bar=False)
        await run(joining(code, options, told), receiver.use, told)
    finally:
        into.close()
    return told.result()


class _Told:
    """Hands events on, and remembers two of them."""

    def __init__(self, on_event: Emit) -> None:
        self._on_event = on_event
        self._offered: FilesOffered | None = None
        self._done: FilesDone | None = None

    def __call__(self, event: TraceEvent) -> None:
        if isinstance(event, FilesOffered):
            self._offered = event
        elif isinstance(event, FilesDone):
            self._done = event
        self._on_event(event)

    def offered(self) -> FilesOffered:
        assert self._offered is not None  # told before anybody is asked
        return self._offered

    def result(self) -> FilesDone:
        assert self._done is not None  # a transfer that returns has told it
        return self._done

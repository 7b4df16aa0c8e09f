"""``midair send`` and ``midair receive`` from their arguments to their exit codes."""

from __future__ import annotations

from collections.abc import Sequence

from peer.apps.command import run_pipe
from peer.apps.receive import Receiver, ask_terminal
from peer.apps.send import Sender
from peer.core.secret import Secret
from peer.core.trace import Failed
from peer.core.transfer.names import shown
from peer.errors import UsageError
from peer.io.clock import SystemClock
from peer.io.transfer.folder import Folder
from peer.io.transfer.source import list_files
from peer.settings import Settings
from peer.tell import Tellers


def run_send(
    settings: Settings,
    known: str | Secret | None,
    paths: Sequence[str],
    *,
    as_json: bool,
    trace_path: str | None,
    verbosity: int,
) -> int:
    """Send files.

    Args:
        settings: the user's.
        known: a code as typed, or a secret; None: make a code.
        paths: of files and folders.
        as_json: report in JSON lines instead of sentences.
        trace_path: a file for every event; None: no file.
        verbosity: 0, 1 or 2.

    Returns:
        The exit code, see :mod:`peer.errors`.
    """
    try:
        sender = Sender(list_files(paths), bar=not as_json)
    except UsageError as error:
        return _usage(error, as_json=as_json)
    return run_pipe(
        settings,
        known,
        listens=True,
        as_json=as_json,
        trace_path=trace_path,
        verbosity=verbosity,
        use=sender.use,
        joins="receive",
    )


def run_receive(
    settings: Settings,
    known: str | Secret,
    *,
    to: str,
    overwrite: bool,
    ask: bool,
    as_json: bool,
    trace_path: str | None,
    verbosity: int,
) -> int:
    """Receive files.

    Args:
        settings: the user's.
        known: a code as typed, or a secret.
        to: a folder that is there.
        overwrite: replace files that have an offered name.
        ask: the user, on the terminal.
        as_json: report in JSON lines instead of sentences.
        trace_path: a file for every event; None: no file.
        verbosity: 0, 1 or 2.

    Returns:
        The exit code, see :mod:`peer.errors`.
    """
    try:
        folder = Folder(to, overwrite=overwrite)
    except OSError as error:
        text = f"{shown(to)} cannot be written into: {error.strerror}"
        return _usage(UsageError(text), as_json=as_json)
    receiver = Receiver(folder, ask_terminal if ask else None, bar=not as_json)
    try:
        return run_pipe(
            settings,
            known,
            listens=False,
            as_json=as_json,
            trace_path=trace_path,
            verbosity=verbosity,
            use=receiver.use,
        )
    finally:
        folder.close()


def _usage(error: UsageError, *, as_json: bool) -> int:
    now = SystemClock().now
    tell = Tellers(now, now())
    tell.tell_stderr(as_json=as_json)
    tell(Failed(error.verdict, error.what, error.hint, error.exit_code))
    tell.close()
    return error.exit_code

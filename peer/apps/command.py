"""One session at a rendezvous, and what its connection is for: a pipe, or something else."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from peer.apps.connected import Use, run_connected
from peer.apps.pipe import standard_pipe
from peer.core.code import Code, CodeError
from peer.core.secret import Secret
from peer.core.trace import CodeMade
from peer.errors import UsageError
from peer.io.clock import SystemClock
from peer.io.runner import Session
from peer.settings import DEFAULT_NTP, Settings
from peer.tell import Tellers


def run_pipe(
    settings: Settings,
    known: str | Secret | None,
    *,
    listens: bool,
    as_json: bool,
    trace_path: str | None,
    verbosity: int,
    use: Use = standard_pipe,
    joins: str = "connect",
    words: Sequence[str] = (),
    prepare: Callable[[Tellers], None] | None = None,
    keep: bool = False,
) -> int:
    """Connect, and use the connection.

    Args:
        settings: the user's.
        known: a code as typed, or a secret; None: make a code.
        listens: take the first seat; else the second.
        as_json: report in JSON lines instead of sentences.
        trace_path: a file for every event; None: no file.
        verbosity: 0, 1 or 2.
        use: what the connection is for; by default standard input and output.
        joins: the command of the other side.
        words: more options of it.
        prepare: called before there is a session.
        keep: begin again after each connection, until the user stops it.

    Returns:
        The exit code, see :mod:`peer.errors`.
    """

    first = True

    def session(tell: Tellers, clock: SystemClock) -> Session:
        nonlocal first
        if first and prepare is not None:
            prepare(tell)
        started_at, first = tell.started_at if first else None, False
        return Session(
            settings,
            _parse(known) if isinstance(known, str) else known,
            tell,
            on_code=lambda made: tell(CodeMade(str(made), _command(made, settings, joins, words))),
            listens=listens,
            clock=clock,
            started_at=started_at,
        )

    return run_connected(
        session, use, as_json=as_json, trace_path=trace_path, verbosity=verbosity, keep=keep
    )


def _parse(code: str) -> Code:
    try:
        return Code.parse(code)
    except CodeError as error:
        raise UsageError(f"that is no code: {error}") from None


def _command(code: Code, settings: Settings, joins: str, words: Sequence[str]) -> str:
    """The whole command for the other side, ready to be pasted."""
    line = ["midair", joins, str(code), *words, "--rendezvous", settings.rendezvous]
    if settings.ntp != DEFAULT_NTP:
        line += [word for server in settings.ntp for word in ("--ntp", server)]
    return shlex.join(line)

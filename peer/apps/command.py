"""``midair listen`` and ``midair connect``: one session at a rendezvous, with its pipe."""

from __future__ import annotations

import shlex

from peer.apps.connected import run_connected
from peer.apps.pipe import standard_pipe
from peer.core.code import Code, CodeError
from peer.core.trace import CodeMade
from peer.errors import UsageError
from peer.io.clock import SystemClock
from peer.io.runner import Session
from peer.settings import DEFAULT_NTP, Settings
from peer.tell import Tellers


def run_pipe(
    settings: Settings,
    code: str | None,
    *,
    listens: bool,
    as_json: bool,
    trace_path: str | None,
    verbosity: int,
) -> int:
    """Connect, and join standard input and output to the partner's.

    Args:
        settings: the user's.
        code: the code as typed; None: make one.
        listens: take the first seat; else the second.
        as_json: report in JSON lines instead of sentences.
        trace_path: a file for every event; None: no file.
        verbosity: 0, 1 or 2.

    Returns:
        The exit code, see :mod:`peer.errors`.
    """

    def session(tell: Tellers, clock: SystemClock) -> Session:
        return Session(
            settings,
            None if code is None else _parse(code),
            tell,
            on_code=lambda made: tell(CodeMade(str(made), _command(made, settings))),
            listens=listens,
            clock=clock,
            started_at=tell.started_at,
        )

    return run_connected(
        session, standard_pipe, as_json=as_json, trace_path=trace_path, verbosity=verbosity
    )


def _parse(code: str) -> Code:
    try:
        return Code.parse(code)
    except CodeError as error:
        raise UsageError(f"that is no code: {error}") from None


def _command(code: Code, settings: Settings) -> str:
    """The whole command for the other side, ready to be pasted."""
    words = ["midair", "connect", str(code), "--rendezvous", settings.rendezvous]
    if settings.ntp != DEFAULT_NTP:
        words += [word for server in settings.ntp for word in ("--ntp", server)]
    return shlex.join(words)

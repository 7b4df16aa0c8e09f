"""Who hears of trace events; a listener that goes away must not take the connection with it."""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO, cast

from peer.core.times import MonoNs
from peer.core.trace import CodeMade, TraceEvent, Warned
from peer.errors import UsageError
from peer.present import Present, for_people, json_lines

_log = logging.getLogger("midair")
_LIBRARIES = ("httpx", "httpcore", "asyncio")


@dataclass(slots=True)
class Tellers:
    """Everybody who is told; called with each event."""

    now: Callable[[], MonoNs]
    started_at: MonoNs
    _presents: dict[str, Present] = field(default_factory=dict)
    """By the name of what they write to."""
    _files: list[TextIO] = field(default_factory=list)

    def __call__(self, event: TraceEvent) -> None:
        """Tell all of them; one that cannot be told is not told again, and the others hear of it.

        Args:
            event: what happened.
        """
        _log_event(event)
        warnings = []
        for name, present in list(self._presents.items()):
            try:
                present(event)
            except (OSError, ValueError) as error:
                del self._presents[name]
                why = getattr(error, "strerror", None) or error
                warnings.append(Warned(f"{name} is not written any more: {why}"))
        for warning in warnings:
            self(warning)

    def tell_stderr(self, *, as_json: bool) -> None:
        """Tell standard error.

        Args:
            as_json: one object a line, for programs; else sentences, for people.
        """
        out = cast("TextIO | None", sys.stderr)
        if out is None:
            return  # Python has none where the descriptor was closed at the start.
        self._presents["standard error"] = (
            json_lines(out, self.now, self.started_at) if as_json else for_people(out)
        )

    def tell_file(self, path: str) -> None:
        """Tell a file, which only its owner may read: the code stands in it.

        Args:
            path: made, or emptied.

        Raises:
            UsageError: it cannot be.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)  # also where others could read the old one
        except OSError as error:
            raise UsageError(f"the trace cannot be written to {path}: {error.strerror}") from None
        file = open(descriptor, "w", encoding="utf-8")  # noqa: SIM115 - closed by close()
        self._files.append(file)
        self._presents[f"the trace {path}"] = json_lines(file, self.now, self.started_at)

    def close(self) -> None:
        """Close the files; what standard error still holds back is dropped if nobody reads it."""
        for file in self._files:
            with suppress(OSError):
                file.close()
        try:
            sys.stderr.flush()
        except AttributeError:
            pass  # there is none
        except (OSError, ValueError):
            # Python flushes once more when it ends, and would turn our exit code into 120.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)
            os.close(null)


def _log_event(event: TraceEvent) -> None:
    if isinstance(event, CodeMade):
        return  # the code is a secret, and logs are passed on
    _log.info(
        "%s %s", event.event, " ".join(f"{key}={value}" for key, value in event.fields().items())
    )


def log_to_stderr(verbosity: int) -> None:
    """Set logging up.

    Args:
        verbosity: 0: nothing; 1: a line for each event; 2: the libraries' messages, too.
    """
    if not verbosity:
        return
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s: %(message)s")
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.DEBUG if verbosity > 1 else logging.WARNING)

"""Asking for a code at the terminal, with the words completed by Tab.

Standard input and output are the user's data, so the question is put to the terminal itself, also
where both are redirected.  Readline, however, talks to descriptors 0 and 1 only: for as long as it
asks they are the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from peer.core.code import Code, CodeError
from peer.core.words import completions

QUESTION = "midair: code (Tab completes its words): "
_TERMINAL = "/dev/tty"


def ask_code() -> str | None:
    """Ask for a code, again where it is mistyped.

    Returns:
        A code; None: there is nobody to ask, or nothing was typed.
    """
    try:
        terminal = os.open(_TERMINAL, os.O_RDWR)
    except OSError:
        return None
    try:
        with _in_place_of_data(terminal):
            _complete_by_tab()
            while typed := input(QUESTION).strip():
                try:
                    return str(Code.parse(typed))
                except CodeError as error:
                    like = f" (is it {' or '.join(error.like)}?)" if error.like else ""
                    print(f"midair: {error}{like}")
            return None
    except (EOFError, RuntimeError):  # nothing typed; or standard error, say, is closed
        return None
    finally:
        os.close(terminal)


@contextmanager
def _in_place_of_data(terminal: int) -> Iterator[None]:
    with suppress(AttributeError, ValueError):  # it is closed
        sys.stdout.flush()
    saved: list[tuple[int, int | None]] = []
    streams = sys.stdin, sys.stdout
    try:
        for descriptor in (0, 1):
            try:
                saved.append((descriptor, os.dup(descriptor)))
            except OSError:
                saved.append((descriptor, None))
            os.dup2(terminal, descriptor)
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        yield
    finally:
        sys.stdin, sys.stdout = streams
        for descriptor, copy in saved:
            if copy is None:
                os.close(descriptor)
            else:
                os.dup2(copy, descriptor)
                os.close(copy)


def _complete_by_tab() -> None:
    try:
        import readline
    except ImportError:
        return

    def candidate(typed: str, number: int) -> str | None:
        found = completions(typed)
        return found[number] if number < len(found) else None

    readline.set_completer_delims("")
    readline.set_completer(candidate)
    readline.set_auto_history(False)
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")

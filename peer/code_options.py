"""What both users have, a code or a secret: from arguments, files, the environment or a prompt.

Loaded for every ``--help``: nothing heavy is imported at the top.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from peer.core.code import DEFAULT_WORDS, KEPT_WORDS, MAX_WORDS, MIN_WORDS
from peer.options import INTERRUPTED, read_line

if TYPE_CHECKING:
    from peer.core.secret import Secret

Command = TypeVar("Command", bound=Callable[..., Any])
_NO_CODE = (
    "No code given. Run `midair {opens}` on the other host; it prints the command for this one."
)


def complete_code(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> Sequence[str]:
    """Complete the words of a code, for a shell."""
    from peer.core.words import completions

    return completions(incomplete)


def opening_options(command: Command) -> Command:
    """Add the options of the side that opens a session."""
    for option in (
        click.option(
            "--words",
            type=click.IntRange(MIN_WORDS, MAX_WORDS),
            metavar="N",
            help=f"Make a code of N words, 8 bits each.  [default: {DEFAULT_WORDS}; with --keep: "
            f"{KEPT_WORDS}]",
        ),
        _secret_file,
        _code_file,
        click.option(
            "--code",
            metavar="CODE",
            shell_complete=complete_code,
            help="Use a code that both sides have already.  [env: MIDAIR_CODE; default: a new one]",
        ),
    ):
        command = option(command)
    return command


def joining_options(command: Command) -> Command:
    """Add the argument and the options of the side that joins."""
    for option in (
        _secret_file,
        _code_file,
        click.argument("code", required=False, shell_complete=complete_code),
    ):
        command = option(command)
    return command


_code_file = click.option(
    "--code-file", metavar="FILE|-", help="Read the code from a file, or from stdin."
)
_secret_file = click.option(
    "--secret-file",
    metavar="FILE|-",
    help="Read a secret that both sides have, instead of a code.  [env: MIDAIR_SECRET]",
)


def opening(options: dict[str, Any]) -> str | Secret | None:
    """Return what both users have, and take it out of the options; None: make a code.

    Args:
        options: of the command.

    Returns:
        A code as typed, or a secret.
    """
    return _known(options)


def joining(options: dict[str, Any], *, opens: str) -> str | Secret:
    """Return what both users have, and take it out of the options; asks for a code.

    Args:
        options: of the command.
        opens: the command of the other side.

    Returns:
        A code as typed, or a secret.
    """
    known = _known(options)
    if known is None:
        from peer.prompt import ask_code

        try:
            known = ask_code()
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
    if known is None:
        raise click.UsageError(_NO_CODE.format(opens=opens))
    return known


def _known(options: dict[str, Any]) -> str | Secret | None:
    code, code_file = options.pop("code"), options.pop("code_file")
    secret_file = options.pop("secret_file")
    if sum(given is not None for given in (code, code_file, secret_file)) > 1:
        raise click.UsageError("Give a code or a secret, and only once.")
    if code_file is not None:
        return read_line(code_file, "code")
    if secret_file is not None:
        return parse_secret(read_line(secret_file, "secret"), "--secret-file")
    if code is not None:
        return str(code)
    code, secret = (os.environ.get(f"MIDAIR_{name}") or None for name in ("CODE", "SECRET"))
    if code is not None and secret is not None:
        raise click.UsageError("MIDAIR_CODE and MIDAIR_SECRET are both set: unset one.")
    return code if secret is None else parse_secret(secret, "MIDAIR_SECRET")


def parse_secret(text: str, where: str) -> Secret:
    """Read a secret; exits where it is none.

    Args:
        text: as given.
        where: it came from, for people.
    """
    from peer.core.secret import Secret, SecretError

    try:
        return Secret.parse(text)
    except SecretError as error:
        raise click.UsageError(f"{where}: {error}.") from None

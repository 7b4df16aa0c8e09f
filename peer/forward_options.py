"""The options by which `midair listen` and `midair connect` forward connections.

Loaded for every ``--help``: nothing but click is imported at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from peer.apps.forward import Binding, Serving
    from peer.core.secret import Secret

Command = TypeVar("Command", bound=Callable[..., Any])
Parsed = TypeVar("Parsed")


def serving_options(command: Command) -> Command:
    """Add the options of the side that has the target."""
    for option in (
        click.option(
            "--allow",
            multiple=True,
            metavar="HOST:PORT",
            help="Another place that the partner may ask for; *, or a network, for many.",
        ),
        click.option(
            "--forward",
            metavar="HOST:PORT|unix:PATH",
            help="Let the partner reach this, instead of a pipe.",
        ),
    ):
        command = option(command)
    return command


def binding_options(command: Command) -> Command:
    """Add the options of the side that listens."""
    for option in (
        click.option("--to", metavar="HOST:PORT", help="Ask for this, which --allow must name."),
        click.option(
            "--bind",
            multiple=True,
            metavar="HOST:PORT|PORT|unix:PATH",
            help="Listen here for the partner's target, instead of a pipe.",
        ),
    ):
        command = option(command)
    return command


def keep_option(command: Command) -> Command:
    """Add ``--keep``."""
    return click.option(
        "--keep",
        is_flag=True,
        help="Begin again when the partner has left, or was lost, until you stop it.",
    )(command)


def check_keep(
    options: dict[str, Any], known: str | Secret | None, *, use: str, given: bool
) -> bool:
    """Return whether to begin again and again, and take it out of the options.

    Args:
        options: of the command.
        known: a code as typed, or a secret.
        use: the option that says what for.
        given: whether it was.
    """
    keep = bool(options.pop("keep"))
    if keep and not given:
        raise click.UsageError(f"--keep needs {use}: standard input can be read only once.")
    from peer.core.code import KEPT_WORDS

    # Sixteen bits stop somebody who has one guess, and not somebody who has one a minute, whether
    # at one code or at a new one each time.
    if keep and isinstance(known, str):
        hint = "" if use == "--bind" else ", or none: each partner then gets a new code"
        raise click.UsageError(f"--keep with one code for all is a risk: give --secret-file{hint}.")
    if keep and known is None:
        options["words"] = options["words"] or KEPT_WORDS
        if options["words"] < KEPT_WORDS:
            raise click.UsageError(f"--keep needs codes of {KEPT_WORDS} words or more.")
    return keep


def serving(options: dict[str, Any]) -> Serving | None:
    """Return what is to be served, and take it out of the options; None: a pipe."""
    forward, allow = options.pop("forward"), options.pop("allow")
    if forward is None and not allow:
        return None
    from peer.apps.forward import Serving
    from peer.core.places import parse_pattern, parse_place

    target = None if forward is None else _parsed("--forward", parse_place, forward)
    return Serving(target, tuple(_parsed("--allow", parse_pattern, text) for text in allow))


def binding(options: dict[str, Any]) -> Binding | None:
    """Return where to listen, and take it out of the options; None: a pipe."""
    bind: Sequence[str] = options.pop("bind")
    to: str | None = options.pop("to")
    if not bind:
        if to is not None:
            raise click.UsageError("--to says what --bind leads to: give --bind, too.")
        return None
    from peer.apps.forward import Binding
    from peer.core.places import TcpPlace, parse_place

    target = None if to is None else _parsed("--to", parse_place, to)
    if target is not None and not isinstance(target, TcpPlace):
        raise click.UsageError("--to names HOST:PORT; a unix socket only its owner forwards.")
    return Binding(tuple(_parsed("--bind", parse_place, text) for text in bind), target)


def _parsed(option: str, parse: Callable[[str], Parsed], text: str) -> Parsed:
    from peer.core.places import PlaceError

    try:
        return parse(text)
    except PlaceError as error:
        raise click.UsageError(f"{option}: {error}.") from None

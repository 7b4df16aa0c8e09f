"""The options by which `midair listen` and `midair connect` forward connections.

Loaded for every ``--help``: nothing but click is imported at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from peer.apps.forward import Binding, Serving

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

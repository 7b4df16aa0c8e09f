"""``midair receive CODE``."""

from __future__ import annotations

import sys
from typing import Any

import click

from peer.code_options import joining, joining_options
from peer.load import loaded
from peer.options import INTERRUPTED, OPTIONS, connect_settings, with_options


@click.command()
@joining_options
@click.option("--to", default=".", metavar="DIR", help="Where files go.  [default: this folder]")
@click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
@click.option("-y", "--yes", is_flag=True, help="Accept without being asked.")
@with_options(*OPTIONS)
def receive(to: str, overwrite: bool, yes: bool, **options: Any) -> None:
    """Receive what the partner's `midair send` offers.

    You are shown what it is, and asked; without a terminal give --yes. Nothing is written
    outside of the folder, and no file is replaced unless you say --overwrite.
    """
    known = joining(options, opens="send")
    # Python has none where the descriptor was closed at the start.
    seen = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
    if not yes and (options["as_json"] or not seen):
        raise click.UsageError("Nobody can be asked without a terminal: give --yes.")
    settings = connect_settings(options)
    try:
        from peer.apps.files import run_receive

        loaded()
        exit_code = run_receive(
            settings,
            known,
            to=to,
            overwrite=overwrite,
            ask=not yes,
            as_json=options["as_json"],
            trace_path=options["trace"],
            verbosity=options["verbose"],
        )
    except KeyboardInterrupt:
        exit_code = INTERRUPTED
    sys.exit(exit_code)

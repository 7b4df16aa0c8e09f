"""``midair send FILE|DIR…``."""

from __future__ import annotations

import sys
from typing import Any

import click

from peer.code_options import opening, opening_options
from peer.load import loaded
from peer.options import INTERRUPTED, OPTIONS, connect_settings, with_options


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR...")
@opening_options
@with_options(*OPTIONS)
def send(paths: tuple[str, ...], **options: Any) -> None:
    """Send files and folders; prints the command for the other side.

    Exits 0 when the other side has said that every file is complete. After a break run both
    commands again: what has arrived is kept, checked, and not sent again.
    """
    known = opening(options)
    settings = connect_settings(options)
    try:
        from peer.apps.files import run_send

        loaded()
        exit_code = run_send(
            settings,
            known,
            paths,
            as_json=options["as_json"],
            trace_path=options["trace"],
            verbosity=options["verbose"],
        )
    except KeyboardInterrupt:
        exit_code = INTERRUPTED
    sys.exit(exit_code)

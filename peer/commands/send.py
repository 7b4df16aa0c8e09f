"""``midair send FILE|DIR…``."""

from __future__ import annotations

import sys
from typing import Any

import click

from peer.options import INTERRUPTED, OPTIONS, connect_settings, read_line, with_options


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR...")
@click.option(
    "--code",
    envvar="MIDAIR_CODE",
    metavar="CODE",
    help="Use a code that both sides have already.  [env: MIDAIR_CODE; default: a new one]",
)
@click.option("--code-file", metavar="FILE|-", help="Read the code from a file, or from stdin.")
@with_options(*OPTIONS)
def send(paths: tuple[str, ...], code: str | None, code_file: str | None, **options: Any) -> None:
    """Send files and folders; prints the command for the other side.

    Exits 0 when the other side has said that every file is complete. After a break run both
    commands again: what has arrived is kept, checked, and not sent again.
    """
    code = read_line(code_file, "code") if code_file else code
    settings = connect_settings(options)
    try:
        from peer.apps.files import run_send

        exit_code = run_send(
            settings,
            code,
            paths,
            as_json=options["as_json"],
            trace_path=options["trace"],
            verbosity=options["verbose"],
        )
    except KeyboardInterrupt:
        exit_code = INTERRUPTED
    sys.exit(exit_code)

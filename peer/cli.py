"""The command ``midair``: arguments and environment in, exit code out.

Only click and the settings are imported here, so that ``midair --help`` is
quick; everything else is loaded by the command that runs.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from peer.options import INTERRUPTED, OPTIONS, Command, hook_ns, read_line, with_options
from peer.settings import DEFAULT_NTP, Settings, TestHooks, check_ntp

_common = with_options(*OPTIONS)
"""Of the commands that use a rendezvous to connect."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="midair", prog_name="midair")
def main() -> None:
    """One direct TCP connection between two hosts that cannot reach each other.

    Run `midair listen` on one host; it prints the command for the other one.
    Standard input and output are then the two ends of a pipe.
    """


def _code_file(command: Command) -> Command:
    return click.option(
        "--code-file", metavar="FILE|-", help="Read the code from a file, or from stdin."
    )(command)


@main.command()
@click.option(
    "--code",
    envvar="MIDAIR_CODE",
    metavar="CODE",
    help="Use a code that both sides have already.  [env: MIDAIR_CODE; default: a new one]",
)
@_code_file
@_common
def listen(code: str | None, code_file: str | None, **options: Any) -> None:
    """Make a code, wait for a partner, connect.

    A code is good for one connection. --code-file and MIDAIR_CODE keep one that you have
    agreed on before out of the list of processes.
    """
    _run(read_line(code_file, "code") if code_file else code, options, listens=True)


@main.command()
@click.argument("code", required=False, envvar="MIDAIR_CODE")
@_code_file
@_common
def connect(code: str | None, code_file: str | None, **options: Any) -> None:
    """Join the partner whose `midair listen` made CODE.

    The code may also come from --code-file or from MIDAIR_CODE, which keep it out of the
    list of processes.
    """
    code = read_line(code_file, "code") if code_file else code
    if code is None:
        raise click.UsageError(
            "No code given. Run `midair listen` on the other host; it prints the command for this "
            "one."
        )
    _run(code, options, listens=False)


def _run(code: str | None, options: dict[str, Any], *, listens: bool) -> None:
    settings = _settings(options)
    try:
        from peer.apps.command import run_pipe

        exit_code = run_pipe(
            settings,
            code,
            listens=listens,
            as_json=options["as_json"],
            trace_path=options["trace"],
            verbosity=options["verbose"],
        )
    except KeyboardInterrupt:
        exit_code = INTERRUPTED
    sys.exit(exit_code)


def _settings(options: dict[str, Any]) -> Settings:
    if not options["rendezvous"]:
        raise click.UsageError(
            "No rendezvous given. Start one on a host that both peers can reach with "
            "`midair-rendezvous`, then give its URL with --rendezvous or MIDAIR_RENDEZVOUS, "
            "for example --rendezvous http://example.net:8080"
        )
    try:
        check_ntp(options["ntp"])
    except ValueError as error:
        raise click.UsageError(f"--ntp: {error}") from None
    return Settings(
        rendezvous=options["rendezvous"],
        ntp=tuple(options["ntp"]) or DEFAULT_NTP,
        local_port=options["local_port"],
        timeout_ns=options["timeout"],
        hooks=TestHooks(
            skew_ns=hook_ns("MIDAIR_TEST_SKEW_MS"), lead_ns=hook_ns("MIDAIR_TEST_LEAD_MS")
        ),
    )

"""The command ``midair``: arguments and environment in, exit code out.

Only click and the settings are imported here, so that ``midair --help`` is
quick; everything else is loaded by the command that runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from peer.settings import DEFAULT_NTP, PAIR_PORTS, Settings, TestHooks, check_ntp, timeout_ns

Command = TypeVar("Command", bound=Callable[..., Any])
INTERRUPTED = 130
"""128 + SIGINT, also while the rest is still being loaded."""
NS_PER_MS = 1_000_000


def _timeout_ns(_: click.Context, option: click.Parameter, value: float | None) -> int | None:
    try:
        return None if value is None else timeout_ns(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None


def _common(command: Command) -> Command:
    """Add the options that every command has."""
    options = [
        click.option(
            "--rendezvous",
            envvar="MIDAIR_RENDEZVOUS",
            metavar="URL",
            help="The rendezvous where both peers meet.  [env: MIDAIR_RENDEZVOUS]",
        ),
        click.option(
            "--ntp",
            multiple=True,
            envvar="MIDAIR_NTP",
            metavar="HOST[:PORT]",
            help=f"NTP server; may be given several times.  [env: MIDAIR_NTP; default: "
            f"{DEFAULT_NTP[0]} and {len(DEFAULT_NTP) - 1} more]",
        ),
        click.option(
            "--local-port",
            type=click.IntRange(1024, 65_536 - PAIR_PORTS),
            metavar="N",
            help=f"Use local ports N to N+{PAIR_PORTS - 1}.  [default: random ones]",
        ),
        click.option(
            "--timeout",
            type=float,
            callback=_timeout_ns,
            metavar="SECONDS",
            help="Wait so long for the partner, and then so long to connect.  [default: no limit, "
            "then 30]",
        ),
        click.option("--json", "as_json", is_flag=True, help="Report as JSON lines on stderr."),
        click.option(
            "--trace",
            metavar="FILE",
            help="Write every event to FILE, as JSON lines. The code stands in it: a new file is "
            "readable by you only.",
        ),
        click.option("-v", "--verbose", count=True, help="Log every event; twice: HTTP, too."),
        click.version_option(package_name="midair", prog_name="midair"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


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
    _run(_read_code(code_file) if code_file else code, options, listens=True)


@main.command()
@click.argument("code", required=False, envvar="MIDAIR_CODE")
@_code_file
@_common
def connect(code: str | None, code_file: str | None, **options: Any) -> None:
    """Join the partner whose `midair listen` made CODE.

    The code may also come from --code-file or from MIDAIR_CODE, which keep it out of the
    list of processes.
    """
    code = _read_code(code_file) if code_file else code
    if code is None:
        raise click.UsageError(
            "No code given. Run `midair listen` on the other host; it prints the command for this "
            "one."
        )
    _run(code, options, listens=False)


def _read_code(path: str) -> str:
    try:
        if path != "-":
            with open(path, encoding="utf-8") as file:
                return file.readline()
        # Byte by byte, since what follows the line is the user's data.
        line = b""
        while (byte := os.read(0, 1)) not in (b"", b"\n"):
            line += byte
        return line.decode("utf-8", "replace")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"The code cannot be read from {path}: {error}") from None
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


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
            skew_ns=_hook_ns("MIDAIR_TEST_SKEW_MS"), lead_ns=_hook_ns("MIDAIR_TEST_LEAD_MS")
        ),
    )


def _hook_ns(name: str) -> int:
    text = os.environ.get(name, "0")
    try:
        return int(float(text) * NS_PER_MS)
    except (ValueError, OverflowError):
        raise click.UsageError(f"{name}={text} is not a number of milliseconds") from None

"""The options that several commands have, and how their values are read.

Loaded for every ``--help``: nothing but click and the settings is imported here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from peer.core.code import DEFAULT_WORDS
from peer.settings import (
    DEFAULT_NTP,
    PAIR_PORTS,
    RELAY_POLICIES,
    Settings,
    TestHooks,
    check_ntp,
    timeout_ns,
)

Command = TypeVar("Command", bound=Callable[..., Any])
INTERRUPTED = 130
"""128 + SIGINT, also while the rest is still being loaded."""
NS_PER_MS = 1_000_000


def _timeout_ns(_: click.Context, option: click.Parameter, value: float | None) -> int | None:
    try:
        return None if value is None else timeout_ns(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None


def timeout_option(text: str) -> Callable[[Command], Command]:
    """Make the option ``--timeout``.

    Args:
        text: its help, since commands count from different things.
    """
    return click.option("--timeout", type=float, callback=_timeout_ns, metavar="SECONDS", help=text)


OPTIONS: dict[str, Callable[[Command], Command]] = {
    "rendezvous": click.option(
        "--rendezvous",
        envvar="MIDAIR_RENDEZVOUS",
        metavar="URL",
        help="The rendezvous where both peers meet.  [env: MIDAIR_RENDEZVOUS]",
    ),
    "ntp": click.option(
        "--ntp",
        multiple=True,
        envvar="MIDAIR_NTP",
        metavar="HOST[:PORT]",
        help=f"NTP server; may be given several times.  [env: MIDAIR_NTP; default: "
        f"{DEFAULT_NTP[0]} and {len(DEFAULT_NTP) - 1} more]",
    ),
    "local-port": click.option(
        "--local-port",
        type=click.IntRange(1024, 65_536 - PAIR_PORTS),
        envvar="MIDAIR_LOCAL_PORT",
        metavar="N",
        help=f"Use local ports N to N+{PAIR_PORTS - 1}.  "
        "[env: MIDAIR_LOCAL_PORT; default: random ones]",
    ),
    "timeout": timeout_option(
        "Wait so long for the partner, and then so long to connect.  [default: no limit, then 30]"
    ),
    "relay": click.option(
        "--relay",
        type=click.Choice(RELAY_POLICIES),
        default="auto",
        envvar="MIDAIR_RELAY",
        help="Over the rendezvous's relay, still encrypted: auto, where no path opens; only; or "
        "never.  [env: MIDAIR_RELAY; default: auto]",
    ),
    "json": click.option("--json", "as_json", is_flag=True, help="Report as JSON lines on stderr."),
    "trace": click.option(
        "--trace",
        metavar="FILE",
        help="Write every event to FILE, as JSON lines. A code stands in it: a new file is "
        "readable by you only.",
    ),
    "verbose": click.option(
        "-v", "--verbose", count=True, help="Log every event; twice: HTTP, too."
    ),
    "version": click.version_option(package_name="midair", prog_name="midair"),
}


def with_options(*names: str) -> Callable[[Command], Command]:
    """Make a decorator that adds options to a command, in this order.

    Args:
        names: keys of :data:`OPTIONS`.
    """

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            command = OPTIONS[name](command)
        return command

    return decorate


def read_line(path: str, what: str) -> str:
    """Read a line that must not stand on the command line; exits where it cannot be.

    Args:
        path: of a file; ``-``: standard input, of which nothing else is read.
        what: the line's name, for people.

    Returns:
        The line.
    """
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
        raise click.UsageError(f"The {what} cannot be read from {path}: {error}") from None
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def answer(text: str) -> None:
    """Write what a command was asked for; exits with a sentence where nobody takes it.

    Args:
        text: for standard output.
    """
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        click.echo(text)
    except BrokenPipeError:
        raise  # its reader has gone: click ends without a word
    except OSError as error:
        # Python tries once more when it ends, and would turn our exit code into 120.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise click.UsageError(f"Standard output cannot be written: {error.strerror}") from None


def ntp_servers(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the NTP servers that a command was given; exits where one is none.

    Args:
        options: of the command.

    Returns:
        ``HOST[:PORT]`` of each; the default ones where none was named.
    """
    try:
        check_ntp(options["ntp"])
    except ValueError as error:
        raise click.UsageError(f"--ntp: {error}") from None
    return tuple(options["ntp"]) or DEFAULT_NTP


def reflector_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the reflectors that a command was given; exits where one is none.

    Args:
        names: ``HOST:PORT`` of each.

    Returns:
        The same.
    """
    from rendezvous.protocol.endpoints import EndpointError, split_host_port

    for name in names:
        try:
            if split_host_port(name)[1] == 0:
                raise EndpointError(f"{name!r}: '0' is not a port")
        except EndpointError as error:
            raise click.UsageError(f"--reflector: {error}") from None
    return tuple(names)


def hooks_of_environment() -> TestHooks:
    """Return what the variables for experiments say; exits where one is no number."""
    return TestHooks(
        skew_ns=_hook_ns("MIDAIR_TEST_SKEW_MS"), lead_ns=_hook_ns("MIDAIR_TEST_LEAD_MS")
    )


def _hook_ns(name: str) -> int:
    text = os.environ.get(name, "0")
    try:
        return int(float(text) * NS_PER_MS)
    except (ValueError, OverflowError):
        raise click.UsageError(f"{name}={text} is not a number of milliseconds") from None


def connect_settings(options: Mapping[str, Any]) -> Settings:
    """Return the settings of a command that connects; exits where there is no rendezvous.

    Args:
        options: of the command.
    """
    if not options["rendezvous"]:
        raise click.UsageError(
            "No rendezvous given. Start one on a host that both peers can reach with "
            "`midair-rendezvous`, then give its URL with --rendezvous or MIDAIR_RENDEZVOUS, "
            "for example --rendezvous http://example.net:8080"
        )
    return Settings(
        rendezvous=options["rendezvous"],
        ntp=ntp_servers(options),
        local_port=options["local_port"],
        timeout_ns=options["timeout"],
        words=options.get("words") or DEFAULT_WORDS,
        hooks=hooks_of_environment(),
        relay=options["relay"],
    )

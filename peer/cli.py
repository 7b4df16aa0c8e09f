"""The command ``midair``: arguments and environment in, exit code out.

Only click and the settings are imported here, so that ``midair --help`` is
quick; everything else is loaded by the command that runs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from peer.code_options import joining, joining_options, opening, opening_options
from peer.commands.receive import receive
from peer.commands.send import send
from peer.forward_options import (
    binding,
    binding_options,
    check_keep,
    keep_option,
    serving,
    serving_options,
)
from peer.load import load_quickly, loaded
from peer.meet_options import MEET_TIMEOUT_S, meet_settings
from peer.options import (
    INTERRUPTED,
    OPTIONS,
    answer,
    connect_settings,
    ntp_servers,
    reflector_names,
    timeout_option,
    with_options,
)
from peer.settings import DoctorSettings

if TYPE_CHECKING:
    from peer.core.secret import Secret

_common = with_options(*OPTIONS)
"""Of the commands that use a rendezvous to connect."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="midair", prog_name="midair")
def main() -> None:
    """One direct TCP connection between two hosts that cannot reach each other.

    Run `midair listen` on one host; it prints the command for the other one.
    Standard input and output are then the two ends of a pipe.
    """
    load_quickly()


main.add_command(send)
main.add_command(receive)


@main.command()
@opening_options
@serving_options
@keep_option
@_common
def listen(**options: Any) -> None:
    """Make a code, wait for a partner, connect.

    A code is good for one connection. --code-file and MIDAIR_CODE keep one that you have
    agreed on before out of the list of processes; --secret-file and MIDAIR_SECRET take what
    `midair meet --new-secret` makes, for machines: it serves again and again.
    """
    known = opening(options)
    serves = serving(options)
    keep = check_keep(options, known, use="--forward", given=serves is not None)
    forward: dict[str, Any] = {}
    if serves is not None:
        forward = {"use": serves, "words": serves.partners_words(), "keep": keep}
    _run(known, options, listens=True, **forward)


@main.command()
@joining_options
@binding_options
@keep_option
@_common
def connect(**options: Any) -> None:
    """Join the partner whose `midair listen` made CODE.

    The code may also come from --code-file or from MIDAIR_CODE, which keep it out of the
    list of processes; you are asked for it on a terminal. With --secret-file or MIDAIR_SECRET
    there is no code, and either side may be first.
    """
    known = joining(options, opens="listen")
    binds = binding(options)
    keep = check_keep(options, known, use="--bind", given=binds is not None)
    if binds is None:
        _run(known, options, listens=False)
    else:
        try:
            _run(known, options, listens=False, use=binds, prepare=binds.claim, keep=keep)
        finally:
            binds.release()


def _new_secret(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        import secrets

        from peer.core.secret import SECRET_BYTES, Secret

        answer(str(Secret(secrets.token_bytes(SECRET_BYTES))))
        context.exit()


@main.command()
@click.argument("host", required=False)
@click.option("--at", metavar="TIME|next", help="When: 2026-11-20T22:14:30+08:00, or next minute.")
@click.option(
    "--port",
    type=click.IntRange(1024, 65_535),
    metavar="N",
    help="The port of both sides, with --at. By a secret, ports are derived.",
)
@click.option(
    "--remote-port",
    type=click.IntRange(1024, 65_535),
    metavar="N",
    help="The other side's port, if it is another one.",
)
@click.option("--secret-file", metavar="FILE|-", help="Read the secret; else from MIDAIR_SECRET.")
@click.option(
    "--new-secret",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_new_secret,
    help="Print a secret for both sides, and exit.",
)
@with_options("ntp")
@timeout_option(f"Give up after so long.  [default: {MEET_TIMEOUT_S} by a secret, none with --at]")
@with_options("json", "trace", "verbose", "version")
def meet(host: str | None, **options: Any) -> None:
    """Meet HOST at an agreed time, without any server.

    Both sides name each other's public address. Either they agree a time and a port
    (--at, --port), or they have a secret, which gives both by itself: MIDAIR_SECRET,
    --secret-file, or asked for. It needs NTP, and NATs that keep ports: see `midair doctor`.
    """
    if not host:
        raise click.UsageError("No host given. Name the public address of the other side.")
    settings = meet_settings(host, options)
    try:
        from peer.apps.meet import run_meet

        loaded()
        exit_code = run_meet(
            settings,
            as_json=options["as_json"],
            trace_path=options["trace"],
            verbosity=options["verbose"],
        )
    except KeyboardInterrupt:
        exit_code = INTERRUPTED
    sys.exit(exit_code)


@main.command()
@click.option(
    "--reflector",
    "reflectors",
    multiple=True,
    metavar="HOST:PORT",
    help="A STUN server over TCP, instead of the rendezvous's; give two.",
)
@with_options("rendezvous", "ntp", "local-port")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
@with_options("version")
def doctor(reflectors: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Examine this host: clock, kernel, NAT, IPv6, and what to expect of partners.

    Exits 0 if nothing is broken; else with the exit code that the other commands would have:
    1 kernel, 2 local port in use, 3 rendezvous or reflector, 4 no clock, 5 a NAT that gives every
    connection a new port.
    """
    settings = DoctorSettings(
        rendezvous=options["rendezvous"] or None,
        reflectors=reflector_names(reflectors),
        ntp=ntp_servers(options),
        local_port=options["local_port"],
    )
    try:
        from peer.apps.doctor import run_doctor

        loaded()
        exit_code = run_doctor(settings, answer, as_json=as_json)
    except KeyboardInterrupt:
        exit_code = INTERRUPTED
    sys.exit(exit_code)


def _run(known: str | Secret | None, options: dict[str, Any], *, listens: bool, **use: Any) -> None:
    settings = connect_settings(options)
    try:
        from peer.apps.command import run_pipe

        loaded()
        exit_code = run_pipe(
            settings,
            known,
            listens=listens,
            as_json=options["as_json"],
            trace_path=options["trace"],
            verbosity=options["verbose"],
            **use,
        )
    except KeyboardInterrupt:
        exit_code = INTERRUPTED
    sys.exit(exit_code)

"""What the options of ``midair meet`` mean together, and where its secret comes from."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from peer.code_options import parse_secret
from peer.options import INTERRUPTED, hooks_of_environment, ntp_servers, read_line
from peer.settings import MeetSettings
from rendezvous.protocol.times import NS_PER_S

MEET_TIMEOUT_S = 300
"""A peer that meets by a secret fires at every meeting, twenty of them: not for ever at a host that
does not answer."""


def meet_settings(host: str, options: Mapping[str, Any]) -> MeetSettings:
    """Put the settings together; exits where they contradict each other.

    Args:
        host: the partner.
        options: of the command.

    Returns:
        The settings.
    """
    at, port = options["at"], options["port"]
    if (at is None) != (port is None):
        raise click.UsageError(
            "--at needs --port, the port of both sides."
            if port is None
            else "--port needs --at: by a secret, ports are derived."
        )
    if options["remote_port"] is not None and port is None:
        raise click.UsageError("--remote-port needs --port and --at.")
    at_us, zone_s = (None, 0) if at in (None, "next") else _instant(at)
    timeout_ns = options["timeout"]
    if timeout_ns is None and at is None:
        timeout_ns = MEET_TIMEOUT_S * NS_PER_S
    return MeetSettings(
        host=host,
        secret=_secret(options["secret_file"], needed=at is None),
        at_us=at_us,
        at_next=at == "next",
        zone_s=zone_s,
        port=port or 0,
        remote_port=options["remote_port"] or port or 0,
        ntp=ntp_servers(options),
        timeout_ns=timeout_ns,
        hooks=hooks_of_environment(),
    )


def _instant(text: str) -> tuple[int, int]:
    from peer.io.calendar import CalendarError, parse_instant

    try:
        return parse_instant(text)
    except CalendarError as error:
        raise click.UsageError(f"--at: {error}.") from None


def _secret(path: str | None, *, needed: bool) -> bytes:
    if path is not None:
        text, where = read_line(path, "secret"), "--secret-file"
    elif environment := os.environ.get("MIDAIR_SECRET"):
        text, where = environment, "MIDAIR_SECRET"
    elif needed:
        text, where = _ask(), "The secret"
    else:
        return b""
    return parse_secret(text, where).data


def _ask() -> str:
    """Ask at the terminal, which standard input need not be."""
    import getpass

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return getpass.getpass("midair: secret (it does not show): ")
    except (OSError, EOFError):
        raise click.UsageError(
            "No secret given. Set MIDAIR_SECRET or --secret-file on both sides (midair meet "
            "--new-secret makes one), or agree a time: --at and --port."
        ) from None
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

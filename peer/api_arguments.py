"""midair from Python: what callers give, and the session that it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Required, TypedDict

from peer.core.code import Code, CodeError
from peer.core.secret import Secret, SecretError
from peer.core.trace import TraceEvent
from peer.errors import UsageError
from peer.io.runner import Session
from peer.settings import DEFAULT_NTP, RELAY_POLICIES, RelayPolicy, Settings, check_ntp, timeout_ns


class Options(TypedDict, total=False):
    """What every call may be given."""

    rendezvous: Required[str]
    """URL of the rendezvous."""
    secret: str | None
    """What both sides have instead of a code, as ``midair meet --new-secret`` makes it."""
    ntp: Sequence[str]
    """NTP servers, ``HOST[:PORT]``."""
    local_port: int | None
    """First of four local ports; None: random ones."""
    timeout_s: float | None
    """Most seconds to wait for the partner, and again to connect in; None: no limit, and 30."""
    relay: RelayPolicy
    """``auto``: over the rendezvous's relay where no path opens; ``never``; ``only``."""


def opening(
    on_code: Callable[[str], None] | None, options: Options, emit: Callable[[TraceEvent], None]
) -> Session:
    """Make a session, not begun, of the side that waits for the other one.

    Args:
        on_code: called with the code that was made; None: there is a secret.
        options: the caller's.
        emit: takes what happens.

    Raises:
        UsageError: an argument makes no sense.
    """
    secret = options.get("secret")
    if on_code is None and secret is None:
        raise UsageError("somebody must hear of the code", "Give on_code, or a secret")
    known = None if secret is None else parsed_secret(secret)
    told = on_code or (lambda _: None)
    return Session(_given(options), known, emit, lambda code: told(str(code)), listens=True)


def joining(code: str | None, options: Options, emit: Callable[[TraceEvent], None]) -> Session:
    """Make a session, not begun, of the side that joins.

    Args:
        code: the partner's; None: there is a secret.
        options: the caller's.
        emit: takes what happens.

    Raises:
        UsageError: an argument makes no sense.
    """
    secret = options.get("secret")
    if (code is None) == (secret is None):
        raise UsageError("there must be a code or a secret", "Give one of them")
    return Session(
        _given(options), parsed_secret(secret) if code is None else parsed_code(code), emit
    )


def _given(options: Options) -> Settings:
    return checked(
        options["rendezvous"],
        options.get("ntp", DEFAULT_NTP),
        options.get("local_port"),
        options.get("timeout_s"),
        options.get("relay", "auto"),
    )


def parsed_code(code: str) -> Code:
    """Read a code.

    Raises:
        UsageError: it is none.
    """
    try:
        return Code.parse(code)
    except CodeError as error:
        raise UsageError(f"that is no code: {error}") from None


def parsed_secret(text: str | None) -> Secret:
    """Read a secret.

    Raises:
        UsageError: it is none.
    """
    try:
        return Secret.parse(text or "")
    except SecretError as error:
        raise UsageError(f"that is no secret: {error}") from None


def checked(
    rendezvous: str,
    ntp: Sequence[str],
    local_port: int | None,
    timeout_s: float | None,
    relay: RelayPolicy = "auto",
) -> Settings:
    """Check arguments that are each described where they are given.

    Raises:
        UsageError: one makes no sense.
    """
    try:
        if relay not in RELAY_POLICIES:
            raise ValueError(f"relay is one of {', '.join(RELAY_POLICIES)}, not {relay!r}")
        check_ntp(ntp)
        limit_ns = None if timeout_s is None else timeout_ns(timeout_s)
    except ValueError as error:
        raise UsageError(f"an argument makes no sense: {error}") from None
    return Settings(rendezvous, tuple(ntp), local_port, limit_ns, relay=relay)

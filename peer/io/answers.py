"""What a rendezvous's answers mean: messages, problems, and the errors that users see."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from peer.errors import (
    CrowdedError,
    NameplateError,
    RefusedError,
    RendezvousError,
    UnreachableError,
    VersionError,
)
from peer.io.http import MAX_OCTETS, Said
from peer.io.lean import httpx
from rendezvous.protocol.errors import PROBLEM_MEDIA_TYPE, Problem, ProblemWord
from rendezvous.protocol.messages import PROTOCOL_VERSION, Message
from rendezvous.protocol.times import NS_PER_S

MAX_SAID = 300
"""Characters of a problem's own words that are shown."""
MAX_RETRY_AFTER_DIGITS = 6
Answer = TypeVar("Answer", bound=Message)


class StaleTokenError(RendezvousError):
    """An address token is too old: learn again and report again. Never reaches the user."""


class GoneError(RendezvousError):
    """The session is over; or, to a report, the partner is at a later attempt."""

    verdict = "closed"


_PROBLEMS: dict[ProblemWord, tuple[type[RendezvousError], str]] = {
    ProblemWord.UNKNOWN_NAMEPLATE: (
        NameplateError,
        "Check the code, and that the other side is still waiting",
    ),
    ProblemWord.CROWDED: (CrowdedError, "A code serves two peers: ask for a new one"),
    ProblemWord.VERSION: (VersionError, "Install the version of midair that it names"),
    ProblemWord.STALE_TOKEN: (StaleTokenError, ""),
    ProblemWord.CLOSED: (GoneError, "Start again on both sides, with a new code"),
    ProblemWord.TOO_MANY: (RefusedError, "Too many tries from this address: wait a minute"),
}
RETRY = (ProblemWord.GOING_AWAY, ProblemWord.FULL, ProblemWord.TOO_MANY)
"""Worth another try after a pause."""


def parse(said: Said, answer: type[Answer], host: str) -> Answer:
    """Understand a successful answer.

    Args:
        said: of a status 2xx.
        answer: what it must be.
        host: who said it.

    Returns:
        The message.

    Raises:
        RefusedError: it is something else.
        VersionError: the rendezvous speaks another version.
    """
    strange = f"the server at {host} answered what no rendezvous answers"
    if not said.whole:
        raise RefusedError(strange, f"Check the URL: it said more than {MAX_OCTETS // 1024} KiB")
    try:
        message = answer.model_validate_json(said.body)
    except ValidationError as error:
        hint = f"Check the URL: {error.error_count()} fields are wrong or missing"
        raise RefusedError(strange, hint) from None
    if message.version != PROTOCOL_VERSION:
        raise VersionError(
            f"the rendezvous speaks protocol version {_plain(str(message.version))}, "
            f"this peer {PROTOCOL_VERSION}",
            "Install equal versions of midair on both",
        )
    return message


def problem_of(said: Said) -> Problem:
    """Understand a refusal; one that is no problem of ours becomes one with its status.

    Args:
        said: of a status that is not 2xx.

    Returns:
        The problem.
    """
    if said.kind.startswith(PROBLEM_MEDIA_TYPE):
        try:
            return Problem.model_validate_json(said.body)
        except ValidationError:
            pass  # said below, with the status
    return Problem(type="about:blank", title=f"HTTP status {said.status}", status=said.status)


def error_of(problem: Problem, url: str) -> RendezvousError:
    """Make the error that a problem means for the user.

    Args:
        problem: what the rendezvous said.
        url: where it is.

    Returns:
        The error, to be raised.
    """
    usual: tuple[type[RendezvousError], str] = (RefusedError, "")
    kind, hint = _PROBLEMS.get(problem.word, usual) if problem.word is not None else usual
    said = _plain(problem.detail or problem.title)
    return kind(f"the rendezvous {url} says: {said}".rstrip("."), hint)


def _plain(text: str) -> str:
    """Cut what a stranger says to one line without control characters: it goes to a terminal."""
    printable = "".join(c if c.isprintable() else " " for c in text[:MAX_SAID])
    return " ".join(printable.split())


def unreachable(url: str, failure: httpx.RequestError | OSError) -> UnreachableError:
    """Make the error of a rendezvous that did not answer.

    Args:
        url: where it should be.
        failure: what httpx or the resolver said.

    Returns:
        The error, to be raised.
    """
    late = isinstance(failure, httpx.TimeoutException)
    # A parser quotes what it was sent; httpx says nothing of a time that is over.
    text = _plain(str(failure)) or ("no answer in time" if late else type(failure).__name__)
    return UnreachableError(
        f"the rendezvous {url} cannot be reached ({text})",
        "Check the URL, that `midair-rendezvous` runs there, and that no firewall is in between",
    )


def retry_after_ns(said: Said) -> int:
    """Return how long a refusal asks to wait (RFC 9110 §10.2.3, in seconds).

    Args:
        said: any.

    Returns:
        Nanoseconds; 0 when it does not say.
    """
    text = said.retry_after
    if not (text.isascii() and text.isdigit()) or len(text) > MAX_RETRY_AFTER_DIGITS:
        return 0
    return int(text) * NS_PER_S

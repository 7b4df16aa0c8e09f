"""Problems that a rendezvous reports, as RFC 9457 problem details.

A problem has a ``type`` of ``urn:midair:problem:WORD``; the words are the
closed list below, and each has its HTTP status here, once, for both sides.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

PROBLEM_MEDIA_TYPE = "application/problem+json"
PROBLEM_URN = "urn:midair:problem:"


class ProtocolError(ValueError):
    """A message that is not one of ours: wrong length, type or value."""


class ProblemWord(StrEnum):
    """What a rendezvous refuses, and how a client should take it."""

    MALFORMED = "malformed"
    """The request is not valid; sending it again will not help."""
    VERSION = "version"
    """The client speaks another version of the protocol."""
    UNKNOWN_NAMEPLATE = "unknown_nameplate"
    """Nobody waits under this nameplate: mistyped, expired, or already used."""
    CROWDED = "crowded"
    """Both seats of the session are taken."""
    FORBIDDEN = "forbidden"
    """Not the secret that took this seat, or not the `pake` that it sent first."""
    CLOSED = "closed"
    """The session is over: a partner left, or it was burned."""
    STALE_TOKEN = "stale_token"
    """An address token is expired or from before a restart: learn again."""
    TOO_MANY = "too_many"
    """A limit for this client address is reached; Retry-After says when."""
    FULL = "full"
    """The server holds as many sessions as it may; Retry-After says when."""
    GOING_AWAY = "going_away"
    """The server shuts down; Retry-After says when to come back."""
    NOT_FOUND = "not_found"
    """There is no such resource."""
    INTERNAL = "internal"
    """The server failed; its log says how."""


STATUS: dict[ProblemWord, int] = {
    ProblemWord.MALFORMED: 422,
    ProblemWord.VERSION: 400,
    ProblemWord.UNKNOWN_NAMEPLATE: 404,
    ProblemWord.CROWDED: 409,
    ProblemWord.FORBIDDEN: 403,
    ProblemWord.CLOSED: 410,
    ProblemWord.STALE_TOKEN: 412,
    ProblemWord.TOO_MANY: 429,
    ProblemWord.FULL: 503,
    ProblemWord.GOING_AWAY: 503,
    ProblemWord.NOT_FOUND: 404,
    ProblemWord.INTERNAL: 500,
}
"""The HTTP status of each problem (RFC 9110)."""


class Problem(BaseModel):
    """The body of every refusal (RFC 9457 §3)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str
    """``urn:midair:problem:`` and a :class:`ProblemWord`."""
    title: str
    """One line that is the same for every occurrence."""
    status: int
    """The HTTP status again."""
    detail: str = ""
    """What happened here, and what to do about it."""

    @property
    def word(self) -> ProblemWord | None:
        """The word of a problem of ours, None for anybody else's."""
        try:
            return ProblemWord(self.type.removeprefix(PROBLEM_URN))
        except ValueError:
            return None

"""The one exception by which the rendezvous's rules say no."""

from __future__ import annotations

from rendezvous.protocol.errors import ProblemWord


class Refused(Exception):
    """A request is refused; the shell turns it into problem details (RFC 9457)."""

    def __init__(
        self, word: ProblemWord, detail: str, *, retry_after_us: int | None = None
    ) -> None:
        """Say what is refused.

        Args:
            word: the problem.
            detail: what happened and what to do about it, for a person.
            retry_after_us: when it is worth asking again, None: never.
        """
        super().__init__(word, detail)
        self.word = word
        self.detail = detail
        self.retry_after_us = retry_after_us

    def __str__(self) -> str:
        """Return the word and the detail."""
        return f"{self.word}: {self.detail}"

"""The code that one user tells the other: ``NAMEPLATE-word-word``.

The nameplate finds the session and is known to the rendezvous.  The words never leave the two
hosts; two of them are 16 bits, enough since nobody can try a guess but by being the partner, once:
:mod:`peer.core.pake` makes a strong key of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from peer.core.words import list_at, nearest, words_of

DEFAULT_WORDS = 2
"""One guess in 65,536, and it burns the session: magic-wormhole's own number."""
KEPT_WORDS = 4
"""Of who begins again after each wrong guess: a guess a minute finds two words in some weeks."""
MIN_WORDS = 2
MAX_WORDS = 16
"""128 bits: more protects nothing."""
_NAMEPLATE = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_BETWEEN = re.compile(r"[\s-]+")
_WHAT = f"a code is a number and {MIN_WORDS} to {MAX_WORDS} words, as `midair listen` printed it"


class CodeError(ValueError):
    """The text is not a code; the message says where it is wrong, and shows no word of it.

    A mistyped word is one edit away from the right one, and messages end up in logs.

    Attributes:
        like: words that may have been meant, for who is asked at a terminal; maybe none.
    """

    def __init__(self, text: str, like: Sequence[str] = ()) -> None:
        """Keep the words apart from the text."""
        super().__init__(text)
        self.like = like


@dataclass(frozen=True, slots=True, repr=False)
class Code:
    """A nameplate and the words behind it."""

    nameplate: str
    """Known to the rendezvous."""
    secret: bytes
    """A byte for each word; the rendezvous never sees it."""

    @property
    def words(self) -> str:
        """The words, joined by dashes."""
        return words_of(self.secret)

    def __str__(self) -> str:
        """Return the text that is handed over."""
        return f"{self.nameplate}-{self.words}"

    def __repr__(self) -> str:
        """Show the nameplate only: codes must not end up in logs."""
        return f"Code({self.nameplate}-…)"

    @classmethod
    def parse(cls, text: str) -> Code:
        """Read a code as people type it: any case, dashes or spaces.

        Args:
            text: what the user gave.

        Returns:
            The code.

        Raises:
            CodeError: the text has another form, or a word is none of the list.
        """
        nameplate, *words = _BETWEEN.split(text.strip().lower())
        if _NAMEPLATE.fullmatch(nameplate) is None or not MIN_WORDS <= len(words) <= MAX_WORDS:
            raise CodeError(_WHAT)
        return cls(nameplate, bytes(_octet(word, place) for place, word in enumerate(words)))


def _octet(word: str, place: int) -> int:
    if word in list_at(place):
        return list_at(place).index(word)
    where = f"word {place + 1} of it"
    if word in list_at(place + 1):
        raise CodeError(f"{where} is in the wrong place: a word is missing, or two are exchanged")
    raise CodeError(f"{where} is in no list of words: it is mistyped", nearest(word, place))

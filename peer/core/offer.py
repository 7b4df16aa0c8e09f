"""The first bytes on a stream: each side says what it is here for.

Not for what follows: a module of ``peer/apps`` for each use. A length, and one JSON object::

     0                   1                   2
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 ...
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
    |   length, 16 bits, unsigned   |  {"use": "forward", "side": "gives"}
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-

Unknown keys are ignored, other types of known ones are refused.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import Enum

from rendezvous.protocol.errors import ProtocolError

LENGTH = struct.Struct("!H")
OFFER_MAX = 1024
"""Most bytes of JSON: ten times what is said today."""


class Use(Enum):
    """What a stream is for."""

    PIPE = "pipe"
    FORWARD = "forward"
    FILES = "files"


class Side(Enum):
    """Who of the two has what the other one wants."""

    EQUAL = "equal"
    GIVES = "gives"
    TAKES = "takes"


@dataclass(frozen=True, slots=True)
class Offer:
    """What one side is here for."""

    use: Use
    side: Side = Side.EQUAL
    """GIVES: has the target of a forward, or sends files; TAKES: listens, or receives them."""


class MismatchError(Exception):
    """The two sides are here for different things.

    Attributes:
        what: says it, in the words of their commands.
        hint: says what to run instead.
    """

    def __init__(self, own: Offer, theirs: Offer) -> None:
        """Put it into words.

        Args:
            own: what this side is here for.
            theirs: what the partner is.
        """
        self.what = f"your partner runs {_RUNS[theirs]}, which does not go with {_RUNS[own]} here"
        self.hint = f"Run {_GOES_WITH[theirs]} here, or {_GOES_WITH[own]} there, with a new code"
        super().__init__(self.what)


PIPE = Offer(Use.PIPE)
"""Standard input and output, or the stream of a program of one's own."""
_RUNS = {
    PIPE: "a plain pipe",
    Offer(Use.FORWARD, Side.GIVES): "`midair listen --forward`",
    Offer(Use.FORWARD, Side.TAKES): "`midair connect --bind`",
    Offer(Use.FILES, Side.GIVES): "`midair send`",
    Offer(Use.FILES, Side.TAKES): "`midair receive`",
}
_GOES_WITH = {
    PIPE: "`midair listen` or `midair connect` without such options",
    Offer(Use.FORWARD, Side.GIVES): "`midair connect --bind`",
    Offer(Use.FORWARD, Side.TAKES): "`midair listen --forward`",
    Offer(Use.FILES, Side.GIVES): "`midair receive`",
    Offer(Use.FILES, Side.TAKES): "`midair send`",
}
_TOGETHER = {
    frozenset({PIPE}),
    frozenset({Offer(Use.FORWARD, Side.GIVES), Offer(Use.FORWARD, Side.TAKES)}),
    # One connection to the target, its bytes as they are: ssh's ProxyCommand.
    frozenset({Offer(Use.FORWARD, Side.GIVES), PIPE}),
    frozenset({Offer(Use.FILES, Side.GIVES), Offer(Use.FILES, Side.TAKES)}),
}


def encode(offer: Offer) -> bytes:
    """Encode an offer, its length in front."""
    text = json.dumps({"use": offer.use.value, "side": offer.side.value}).encode()
    return LENGTH.pack(len(text)) + text


def body_length(head: bytes) -> int:
    """Return how many bytes of JSON follow.

    Args:
        head: the first two bytes.

    Raises:
        ProtocolError: nobody says that much.
    """
    (length,) = LENGTH.unpack(head)
    if not 2 <= length <= OFFER_MAX:
        raise ProtocolError(f"an offer cannot have {length} bytes")
    return int(length)


def decode(body: bytes) -> Offer:
    """Decode an offer.

    Args:
        body: what follows the length.

    Raises:
        ProtocolError: it is none, or one of uses that we do not know.
    """
    try:
        value = json.loads(body)
        offer = Offer(Use(value["use"]), Side(value.get("side", Side.EQUAL.value)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ProtocolError("the partner's offer cannot be understood") from None
    if offer not in _RUNS:
        raise ProtocolError("the partner's offer makes no sense")
    return offer


def check_together(own: Offer, theirs: Offer) -> None:
    """Check that two offers go together.

    Raises:
        MismatchError: they do not.
    """
    if frozenset({own, theirs}) not in _TOGETHER or (own == theirs and own.use is not Use.PIPE):
        raise MismatchError(own, theirs)

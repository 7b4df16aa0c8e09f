"""Tell the partner what we are here for, and hear what it is here for.

Not for the rules: :mod:`peer.core.offer`.
"""

from __future__ import annotations

import asyncio

from peer.core.offer import (
    LENGTH,
    MismatchError,
    Offer,
    body_length,
    check_together,
    decode,
    encode,
)
from peer.errors import BrokenError, UsageError
from peer.io.stream import Stream
from rendezvous.protocol.errors import ProtocolError

OFFER_S = 10.0
"""Most that the partner's offer may take: it is its first bytes, sent without being asked."""


async def exchange(stream: Stream, own: Offer) -> Offer:
    """Exchange offers, as the first bytes of both directions.

    Args:
        stream: fresh; the caller leaves it when this raises.
        own: ours.

    Returns:
        The partner's, which goes with ours.

    Raises:
        UsageError: the partner is here for something else; the text says what to run.
        BrokenError: the partner said something else, or nothing; the stream broke.
    """
    await stream.write(encode(own))
    try:
        async with asyncio.timeout(OFFER_S):
            head = await _exactly(stream, LENGTH.size)
            theirs = decode(await _exactly(stream, body_length(head)))
        check_together(own, theirs)
    except TimeoutError:
        stream.abort("no offer came")
        what = f"your partner did not say within {OFFER_S:g} s what it is here for"
        hint = "It may run a plain pipe, or another version: run the matching command there"
        raise BrokenError(what, hint) from None
    except ProtocolError as error:
        stream.abort(f"protocol error: {error}")
        raise BrokenError(str(error), "Install equal versions on both sides") from None
    except MismatchError as error:
        # No abort: it could reach the partner before it has read our offer, which tells it why.
        raise UsageError(str(error)) from None
    return theirs


async def _exactly(stream: Stream, n: int) -> bytes:
    data = b""
    while len(data) < n:
        piece = await stream.read(n - len(data))
        if not piece:
            raise ProtocolError("the partner ended before it said what it is here for")
        data += piece
    return data

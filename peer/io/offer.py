"""Tell the partner what we are here for, and hear what it is here for.

Not for the rules: :mod:`peer.core.offer`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from peer.core.offer import (
    LENGTH,
    MismatchError,
    Offer,
    body_length,
    check_together,
    decode,
    encode,
)
from peer.errors import BrokenError, StreamBrokenError, UsageError
from peer.io.stream import Stream
from rendezvous.protocol.errors import ProtocolError

OFFER_S = 10.0
"""Most that the partner's offer may take: it is its first bytes, sent without being asked."""


async def exchange(stream: Stream, own: Offer) -> Offer:
    """Exchange offers, as the first bytes of both directions.

    Args:
        stream: fresh; broken when this raises.
        own: ours.

    Returns:
        The partner's, which goes with ours.

    Raises:
        UsageError: the partner is here for something else; the text says what to run.
        BrokenError: the partner said something else, or nothing; the stream broke.
    """
    await announce(stream, own)
    return await hear(stream, own)


async def announce(stream: Stream, own: Offer) -> None:
    """Say what we are here for. Who needs not know the partner's offer goes on at once.

    Args:
        stream: fresh; the partner throws away what follows if the offers do not go together.
        own: ours.

    Raises:
        StreamBrokenError: the stream broke.
    """
    await stream.write(encode(own))


async def hear(stream: Stream, own: Offer) -> Offer:
    """Hear what the partner is here for; see :func:`exchange`.

    Args:
        stream: nothing was read from it.
        own: ours, which was announced.
    """
    try:
        async with asyncio.timeout(OFFER_S):
            head = await _exactly(stream, LENGTH.size)
            theirs = decode(await _exactly(stream, body_length(head)))
        check_together(own, theirs)
    except TimeoutError:
        what = f"your partner did not say within {OFFER_S:g} s what it is here for"
        hint = "It may run another version: install equal ones on both sides"
        await leave(stream, "no offer came")
        raise BrokenError(what, hint) from None
    except ProtocolError as error:
        await leave(stream, f"protocol error: {error}")
        raise BrokenError(str(error), "Install equal versions on both sides") from None
    except MismatchError as error:
        # The partner is told by our offer, which is in its hands before this.
        await leave(stream, "the two sides are here for different things")
        raise UsageError(error.what, error.hint) from None
    return theirs


async def leave(stream: Stream, reason: str) -> None:
    """Break a stream, once the partner can know why.

    Args:
        stream: any.
        reason: one sentence without a full stop.
    """
    stream.abort(reason)
    with suppress(StreamBrokenError):
        await stream.wait_closed()


async def _exactly(stream: Stream, n: int) -> bytes:
    data = b""
    while len(data) < n:
        piece = await stream.read(n - len(data))
        if not piece:
            raise ProtocolError("the partner ended before it said what it is here for")
        data += piece
    return data

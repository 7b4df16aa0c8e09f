"""What a far end may do on a connection instead of what a partner does."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from peer.core.greeting import Facts, Hello, Proof, Select, Selected, encode
from peer.core.offer import PIPE
from peer.core.proof import NONCE_BYTES, PROOF_BYTES, holds, make_proof
from peer.errors import StreamBrokenError
from peer.io.channel import Binding, secure
from peer.io.offer import announce, hear
from peer.io.stream import Stream
from peer.io.tls import Tls
from tests.loopback.faults.peer.partner import Line, Manner

FACTS = Facts(1, 1, 0, 0, 0, 0)
FLOOD_OCTETS = 64 * 1024 * 1024
"""More than kernels buffer: whoever takes all of it has read it."""


async def silence(_: Line) -> None:
    """Say nothing."""


def saying(data: bytes) -> Manner:
    """Say these bytes, then nothing."""

    async def say(line: Line) -> None:
        await line.say(data)

    return say


def hanging_up_after(data: bytes) -> Manner:
    """Say these bytes, and close."""

    async def say(line: Line) -> None:
        await line.say(data)
        line.sock.close()
        line.closed.set()

    return say


def own_hello(line: Line) -> Hello:
    """Return a hello that is right."""
    return Hello(line.place, secrets.token_bytes(NONCE_BYTES))


def hello_of(change: Callable[[Line], Hello]) -> Manner:
    """Say a hello that is not right."""

    async def say(line: Line) -> None:
        await line.greet(change(line))

    return say


async def truncated_hello(line: Line) -> None:
    """Say all of a hello but its last octet."""
    await line.say(encode(own_hello(line))[:-1])


async def hellos_without_end(line: Line) -> None:
    """Say the same right hello for as long as somebody takes it."""
    hello = encode(own_hello(line))
    block = hello * 1024
    for _ in range(FLOOD_OCTETS // len(block)):
        await line.say(block)


async def echo(line: Line) -> None:
    """Send back whatever comes, as a reflection or an echo service does."""
    while data := await line.hear():
        await line.say(data)


async def wrong_proof(line: Line) -> None:
    """Say a right hello, and a proof of nothing."""
    await line.greet(own_hello(line))
    await line.greeting()
    await line.greet(Proof(secrets.token_bytes(PROOF_BYTES)))


async def replayed_proof(line: Line) -> None:
    """Say a right hello, and send the peer's own proof back."""
    await line.greet(own_hello(line))
    await line.greeting()
    if (proof := await line.greeting()) is not None:
        await line.greet(proof)


async def unproven_selection(line: Line) -> None:
    """Say a right hello, and go on as if everything were proven."""
    await line.greet(own_hello(line))
    await line.greet(Select(FACTS) if line.role == "initiator" else Selected(FACTS))


async def proven(line: Line) -> None:
    """Prove the code, as only the partner can."""
    hello = own_hello(line)
    await line.greet(hello)
    far = await line.greeting()
    assert isinstance(far, Hello)
    await line.greet(
        Proof(make_proof(line.bound.key, line.role, line.place, hello.nonce, far.nonce))
    )
    proof = await line.greeting()
    assert isinstance(proof, Proof)
    assert holds(proof.proof, line.bound.key, line.role, line.place, hello.nonce, far.nonce)


async def kept(line: Line) -> Tls:
    """Do all that a partner does, up to the stream."""
    await proven(line)
    if line.role == "initiator":
        await line.greet(Select(FACTS))
        told = await line.greeting()
        assert isinstance(told, Selected)
    else:
        told = await line.greeting()
        assert isinstance(told, Select)
        await line.greet(Selected(FACTS))
    bound = line.bound
    binding = Binding(bound.key, line.role, line.place, bound.digest, FACTS, told.facts)
    own, far = line.agreement.identity, bound.partner
    return await secure(line.sock, own, binding, expected=far, round_trip_s=1.0)


class Talk:
    """The manner of a true partner that says something, and notes what it is told.

    Attributes:
        heard: what came.
        broken: why the stream broke; None: it ended in order, or has not ended.
        connected, over: set when it is kept, and when the stream has ended either way.
    """

    def __init__(self, words: bytes = b"") -> None:
        """Keep what to say; with the end mark after it."""
        self.words = words
        self.heard = b""
        self.broken: str | None = None
        self.connected, self.over = asyncio.Event(), asyncio.Event()

    async def __call__(self, line: Line) -> None:
        """Greet, then carry the stream to its end."""
        tls = await kept(line)
        self.connected.set()
        try:
            async with await Stream.open(line.sock.dup(), tls) as stream:
                await announce(stream, PIPE)
                await stream.write(self.words)
                await stream.write_eof()
                await hear(stream, PIPE)
                async for data in stream:
                    self.heard += data
        except StreamBrokenError as error:
            self.broken = error.reason
        line.closed.set()
        self.over.set()

"""A relay that lies, or says nothing: an exit code that is not 0, and no byte for the wrong party.

It stands between the peers and the true relay; the rendezvous names it as its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from rendezvous.protocol.relay import HEADER_OCTETS, Status
from tests.loopback.programs import Peer, finish_both, pair, rendezvous

ONLY = {"MIDAIR_RELAY": "only"}
Ends = tuple[tuple[int, bytes], tuple[int, bytes]]
Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HELLO, PROOF, SELECT = 62, 35, 35
"""Octets of the greetings, in the order in which each end sends them."""
CERTIFICATE = HEADER_OCTETS + HELLO + PROOF + SELECT


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


@contextlib.asynccontextmanager
async def standing_in(client: Client) -> AsyncIterator[int]:
    """Listen in the place of a relay; give the port."""
    server = await asyncio.start_server(client, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def run(said: bytes, *words: str, relay: int, true_relay: int) -> tuple[Ends, Peer, Peer]:
    """Let two peers meet at this relay, each with something to say."""
    options = ("--relay-public", f"127.0.0.1:{relay}", "--relay", f"127.0.0.1:{true_relay}")
    listen = ("--json", *words)

    def both() -> tuple[Ends, Peer, Peer]:
        with (
            rendezvous(*options) as url,
            pair(url, listen=listen, connect=listen, env=ONLY) as (one, other),
        ):
            return finish_both(one, other, said, said), one, other

    return await asyncio.to_thread(both)


def changing(true_relay: int, position: int) -> Client:
    """Make a relay that changes one octet of what each client sends, and passes on the rest."""

    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, changed: int | None
    ) -> None:
        passed = 0
        with contextlib.suppress(ConnectionError):
            while data := bytearray(await reader.read(65536)):
                if changed is not None and passed <= changed < passed + len(data):
                    data[changed - passed] ^= 1
                passed += len(data)
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", true_relay)
        await asyncio.gather(pump(reader, far_writer, position), pump(far_reader, writer, None))
        for one in (writer, far_writer):
            one.close()

    return client


@pytest.mark.parametrize(
    ("position", "codes"),
    [
        (HEADER_OCTETS + 12, {5}),
        (HEADER_OCTETS + 32, {6}),
        (HEADER_OCTETS + HELLO + 20, {6}),
        (HEADER_OCTETS + HELLO + PROOF + 20, {6}),
        (CERTIFICATE + 200, {6}),
        (CERTIFICATE + 450, {6}),
    ],
    ids=["session", "nonce", "proof", "facts", "certificate", "tls"],
)
async def test_relay_that_changes_the_beginning_is_found_out_before_a_byte_of_the_users(
    position: int, codes: set[int]
) -> None:
    true_relay = free_port()
    async with standing_in(changing(true_relay, position)) as relay:
        ends, one, other = await run(b"mine", relay=relay, true_relay=true_relay)
    for (code, received), peer in zip(ends, (one, other), strict=True):
        assert received == b""
        # Whoever finds it out says so; the other one may only see that it broke off.
        assert code in codes | {1, 5}, peer.said
        assert not [event for event in peer.events if event["event"] == "connected"]
    assert codes & {code for code, _ in ends}, (one.said, other.said)


async def test_relay_that_changes_the_stream_breaks_it_and_nothing_changed_arrives() -> None:
    true_relay, said = free_port(), os.urandom(200_000)
    async with standing_in(changing(true_relay, 100_000)) as relay:
        ends, _, _ = await run(said, relay=relay, true_relay=true_relay)
    for code, received in ends:
        assert code == 1
        assert said.startswith(received)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "the connection to it was lost"),
        (b"\x42", "the connection to it was lost"),
        (bytes([Status.WAITING]) * 200_000, "the connection to it was lost"),
        (bytes([Status.WAITING, Status.ALONE]), "your partner did not come there"),
        (bytes([Status.FULL]), "as many pairs as its operator allows"),
        (bytes([Status.FORBIDDEN]), "does not know the rendezvous's ticket"),
        (bytes([Status.TOO_MANY]), "too many connections come from this host's address"),
    ],
    ids=["nothing", "garbage", "waiting without end", "alone", "full", "forbidden", "too many"],
)
async def test_relay_that_refuses_or_hangs_up_is_exit_5_with_its_reason(
    answer: bytes, words: str
) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readexactly(HEADER_OCTETS)
        writer.write(answer)
        writer.close()

    async with standing_in(client) as relay:
        ends, one, other = await run(b"mine", relay=relay, true_relay=free_port())
    assert ends == ((5, b""), (5, b""))
    assert any(words in peer.events[-1]["message"] for peer in (one, other)), (one.said, other.said)


@pytest.mark.parametrize("greets", [False, True], ids=["no answer", "go, and then nothing"])
async def test_relay_that_says_nothing_is_given_up_when_time_is_over(greets: bool) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if greets:
            writer.write(bytes([Status.GO]))
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()

    async with standing_in(client) as relay:
        ends, one, _ = await run(b"mine", "--timeout", "2", relay=relay, true_relay=free_port())
    assert ends == ((5, b""), (5, b""))
    assert one.events[-1]["event"] == "failed"


async def test_relay_where_nobody_listens_is_exit_5_and_named() -> None:
    relay = free_port()
    ends, one, other = await run(b"mine", relay=relay, true_relay=free_port())
    assert ends == ((5, b""), (5, b""))
    # The other one may hear that its partner has left before it has tried.
    assert f"nobody answers at 127.0.0.1:{relay}" in one.said + other.said

"""The reflector on loopback sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from rendezvous.protocol import stun
from rendezvous.protocol.endpoints import Endpoint
from tests.api.server import PATIENCE_S, Served, serving, until

SESSION = "0" * 32


class Client:
    """A TCP STUN client on asyncio's streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @property
    def local(self) -> Endpoint:
        return Endpoint.of(*self.writer.get_extra_info("sockname")[:2])

    async def read(self) -> stun.StunMessage:
        async with asyncio.timeout(PATIENCE_S):
            header = await self.reader.readexactly(stun.HEADER_OCTETS)
            rest = await self.reader.readexactly(stun.frame_length(header) - len(header))
        return stun.decode(header + rest)

    async def ask(self, session: str | None = None) -> stun.StunMessage:
        transaction_id = os.urandom(12)
        self.writer.write(stun.encode_binding_request(transaction_id, session))
        answer = await self.read()
        assert answer.transaction_id == transaction_id
        return answer

    async def ended(self) -> None:
        """Wait until the server has closed or reset the connection."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(4096):
                    pass


@contextlib.asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_answer_is_where_the_client_is_with_a_token_for_its_session(host: str) -> None:
    async with serving(host) as served:
        for address in served.reflectors:
            async with connected(address) as client:
                answer = await client.ask(SESSION)
                assert answer.mapped == client.local
                assert answer.token is not None
                tokens, now_us = served.rendezvous.reflector.tokens, 0
                assert tokens.proves(answer.token, client.local, SESSION, now_us)
                assert (await client.ask()).token is None


async def test_messages_in_pieces_and_in_one_piece_are_answered_in_order() -> None:
    async with serving() as served, connected(served.reflectors[0]) as client:
        ids = [bytes([n]) * 12 for n in range(3)]
        data = b"".join(stun.encode_binding_request(each, SESSION) for each in ids)
        client.writer.write(data[:30])
        await client.writer.drain()
        client.writer.write(data[30:])
        assert [(await client.read()).transaction_id for _ in ids] == ids


async def test_unknown_attribute_is_answered_with_420_and_the_connection_stays() -> None:
    async with serving() as served, connected(served.reflectors[0]) as client:
        request = struct.pack("!HHI", 1, 8, 0x2112A442) + bytes(12)
        client.writer.write(request + struct.pack("!HHI", 0x0003, 4, 6))
        assert (await client.read()).error_code == 420
        assert (await client.ask()).mapped == client.local


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20),
        b"\xff",
        bytes(20),
        stun.encode_binding_success(bytes(12), Endpoint("192.0.2.1", 1), None),
        struct.pack("!HHI", 1, 2000, 0x2112A442) + bytes(12),
    ],
)
async def test_garbage_ends_the_connection_and_nothing_else(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as served:
        async with connected(served.reflectors[0]) as client:
            client.writer.write(data)
            await client.ended()
        async with connected(served.reflectors[0]) as client:
            assert (await client.ask()).mapped == client.local
        await until(lambda: not served.rendezvous.reflector.connections)
    assert not caplog.records


async def test_half_a_message_is_not_waited_for_even_if_it_trickles() -> None:
    async with (
        serving(reflector_partial_s=0.05) as served,
        connected(served.reflectors[0]) as client,
    ):
        await client.ask()
        for octet in stun.encode_binding_request(bytes(12), None)[:19]:
            client.writer.write(bytes([octet]))
            await asyncio.sleep(0.01)
        await client.ended()


async def test_idle_connection_is_closed_by_and_by() -> None:
    async with (
        serving(reflector_idle_s=0.05) as served,
        connected(served.reflectors[0]) as client,
    ):
        await client.ask()
        await client.ended()


async def test_client_that_does_not_read_is_dropped() -> None:
    async with serving() as served:
        sock = socket.create_connection(served.reflectors[0])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reflector = served.rendezvous.reflector
        await until(lambda: len(reflector.connections) == 1)
        sock.setblocking(False)
        # So few that they are no flood, even if several lots are read at once.
        requests = stun.encode_binding_request(bytes(12), SESSION) * 5
        sent = 0
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while reflector.connections:
                    with contextlib.suppress(BlockingIOError):
                        sent += sock.send(requests)
                    await asyncio.sleep(0)
        sock.close()
        assert not reflector.connections
        # It was dropped for its answers, of which the transport and the kernel keep this many.
        assert sent > 32 * 1024


async def test_client_that_sends_a_flood_of_requests_is_dropped_unanswered() -> None:
    async with serving() as served:
        async with connected(served.reflectors[0]) as client:
            await client.ask()
            client.writer.write(stun.encode_binding_request(bytes(12)) * 10_000)
            async with asyncio.timeout(PATIENCE_S):
                with contextlib.suppress(ConnectionError):
                    answers = await client.reader.read()
                    # At most what had come alone at first: all of them would be 320,000 octets.
                    assert len(answers) < 10_000
        async with connected(served.reflectors[0]) as client:
            assert (await client.ask()).mapped == client.local
        await until(lambda: not served.rendezvous.reflector.connections)


async def fill(served: Served, stack: contextlib.AsyncExitStack, count: int) -> list[Client]:
    clients = [
        await stack.enter_async_context(connected(served.reflectors[n % 2])) for n in range(count)
    ]
    for client in clients:
        assert (await client.ask()).mapped == client.local
    return clients


async def test_address_with_too_many_sockets_is_told_so_until_it_closes_one() -> None:
    async with serving(reflector_per_client=16) as served, contextlib.AsyncExitStack() as stack:
        clients = await fill(served, stack, 16)
        async with connected(served.reflectors[0]) as extra:
            answer = await extra.ask()
            assert answer.error_code == 500
            assert "this address" in (answer.error_reason or "")
            await extra.ended()
        clients[0].writer.close()
        await until(lambda: len(served.rendezvous.reflector.connections) == 15)
        async with connected(served.reflectors[0]) as extra:
            assert (await extra.ask()).mapped == extra.local


async def test_full_reflector_says_so() -> None:
    async with serving(reflector_sockets=3) as served, contextlib.AsyncExitStack() as stack:
        await fill(served, stack, 3)
        async with connected(served.reflectors[0]) as extra:
            assert "full" in ((await extra.ask()).error_reason or "")
        await until(lambda: served.rendezvous.reflector.refusing == 0)


async def test_stopping_ends_open_connections() -> None:
    async with serving() as served, connected(served.reflectors[0]) as client:
        await client.ask()
        served.rendezvous.stop()
        await client.ended()

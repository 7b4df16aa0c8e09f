"""What a reflector may answer that no reflector answers: it is as if it were not there."""

from __future__ import annotations

import struct

import pytest

from rendezvous.protocol import stun
from rendezvous.protocol.endpoints import Endpoint
from tests.loopback.faults.peer.hostile import LISTEN, Reflect, honest_reflection, hostile
from tests.loopback.faults.peer.process import ended, event, failure, happened
from tests.loopback.programs import Peer

COOKIE = bytes.fromhex("2112a442")
UNKNOWN_ATTRIBUTE = 0x7777
"""Comprehension-required (RFC 8489 §14): who does not know it must not believe the rest."""


def changed(change: dict[int, int]) -> Reflect:
    """Change octets of an honest answer."""

    def reflect(request: bytes, source: Endpoint) -> bytes:
        answer = bytearray(honest_reflection(request, source))
        for place, octet in change.items():
            answer[place] = octet
        return bytes(answer)

    return reflect


def always(answer: bytes) -> Reflect:
    """Say the same to everybody."""
    return lambda _request, _source: answer


def with_attribute(kind: int, value: bytes) -> Reflect:
    """Put an attribute before the others of an honest answer."""

    def reflect(request: bytes, source: Endpoint) -> bytes:
        answer = honest_reflection(request, source)
        attribute = struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
        length = struct.pack("!H", len(answer) - 20 + len(attribute))
        return answer[:2] + length + answer[4:20] + attribute + answer[20:]

    return reflect


def mapped_to(port: int) -> Reflect:
    """Say an address that the real encoder would not: any port, at 0.0.0.0."""

    def reflect(request: bytes, _: Endpoint) -> bytes:
        value = struct.pack("!BBH4s", 0, 1, port ^ 0x2112, COOKIE)
        body = struct.pack("!HH", 0x0020, len(value)) + value
        return struct.pack("!HH", 0x0101, len(body)) + COOKIE + request[8:20] + body

    return reflect


WRONG: dict[str, Reflect] = {
    "HTML": always(b"<html><body>Please log in to use this network</body></html>"),
    "another transaction": changed({8: 0, 9: 0, 10: 0, 11: 0}),
    "65535 octets": always(b"\x01\x01\xff\xfc" + COOKIE + bytes(65535)),
    "an attribute that must be known": with_attribute(UNKNOWN_ATTRIBUTE, b"?"),
    "port 0": mapped_to(0),
    "an error": lambda request, _: stun.encode_binding_error(request[8:20], 500, "no"),
    "nothing, and the end": always(b""),
}
"""What else breaks the format, tests/wire has."""


@pytest.mark.parametrize("what", WRONG)
async def test_reflector_when_its_answer_is_none_is_none(what: str) -> None:
    async with hostile(reflect=WRONG[what]) as server:
        with Peer("listen", "--json", url=server.url) as one:
            assert await ended(one, b"mine") == (3, b"")
            verdict, message = failure(one)
            assert verdict == "rendezvous_unreachable"
            assert message.startswith("no reflector of the rendezvous answers (127.0.0.1:")
            assert "mapping" not in happened(one.events)


async def test_reflector_when_it_says_half_of_it_is_waited_for_no_longer_than_the_time() -> None:
    half = always(b"\x01\x01\x00\x0c" + COOKIE)
    async with hostile(reflect=half) as server:
        with Peer("listen", "--json", "--timeout", "1", url=server.url) as one:
            assert await ended(one, b"mine") == (5, b"")
            assert failure(one)[0] == "timeout"


async def test_reflector_when_only_one_of_two_lies_is_done_without() -> None:
    liars: set[Endpoint] = set()

    def reflect(request: bytes, source: Endpoint) -> bytes:
        # The first connection of each port meets a liar, whichever of the two that is.
        if source not in liars:
            liars.add(source)
            return b""
        return honest_reflection(request, source)

    async with hostile(reflect=reflect) as server:
        with Peer("listen", "--json", url=server.url) as one:
            mapping = await event(one, "mapping")
            assert mapping["mapping"] == "unknown"
            assert sorted(mapping["srflx"]) == sorted(mapping["local"])


@pytest.mark.parametrize("where", ["198.51.100.1:22", "0.0.0.0:1", "[::1]:9"])
async def test_reflector_when_it_lies_about_the_address_is_only_repeated(where: str) -> None:
    """Whom the token proves is the rendezvous's business: the peer fires at nobody for it."""

    def reflect(request: bytes, _: Endpoint) -> bytes:
        transaction = stun.decode(request).transaction_id
        return stun.encode_binding_success(transaction, Endpoint.parse(where), "a.token")

    async with hostile(reflect=reflect) as server:
        with Peer(*LISTEN, "--json", url=server.url) as one:
            assert set((await event(one, "mapping"))["srflx"]) == {where}
            assert ":9999" in str((await event(one, "appointment"))["pairs"])

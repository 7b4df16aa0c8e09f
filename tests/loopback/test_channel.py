"""The encrypted channel against everybody who might sit at its far end, or between its ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from peer.core.confirm import (
    CONFIRM_BYTES,
    HEADER,
    NO_APPOINTMENT,
    certificate_length,
    encode_certificate,
)
from peer.core.greeting import Facts
from peer.core.proof import Place
from peer.errors import AuthenticationError, BrokenError, MidairError
from peer.io.channel import Binding, secure
from peer.io.identity import Identity
from peer.io.stream import Stream
from peer.io.tls import Tls
from rendezvous.protocol.messages import Role
from tests.loopback.streams import PATIENCE_S, dispose, read_all, receive, tcp_pair

MARKER = b"a byte of the user's"
OWN, FAR = Facts(1, 4, 0, 20, 5, 6), Facts(2, 5, 1, 30, -7, 8)
A, B, MIDDLE = (Identity.make() for _ in range(3))
ROLES: tuple[Role, Role] = ("initiator", "responder")


def binding(role: Role) -> Binding:
    """What two honest ends bind their channel to."""
    facts = (OWN, FAR) if role == "initiator" else (FAR, OWN)
    return Binding(bytes(32), role, Place(bytes(16), 1, 0), NO_APPOINTMENT, *facts)


async def use(
    sock: socket.socket, own: Binding, identity: Identity, expected: bytes | None
) -> bytes | MidairError:
    """Do as a peer does: encrypt, then send the user's bytes; what came, or what went wrong."""
    try:
        tls = await secure(sock, identity, own, expected=expected, round_trip_s=0)
    except MidairError as error:
        sock.close()
        return error
    stream = await Stream.open(sock, tls)
    try:
        await stream.write(MARKER)
        await stream.write_eof()
        return await read_all(stream)
    except MidairError as error:
        return error
    finally:
        await dispose(stream)


async def honest(
    one: Binding, other: Binding, *, pinned: bool = True
) -> Sequence[bytes | MidairError]:
    """Two ends on one connection."""
    near, far = tcp_pair()
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.gather(
            use(near, one, A, B.fingerprint if pinned else None),
            use(far, other, B, A.fingerprint if pinned else None),
        )


@pytest.mark.parametrize("pinned", [True, False])
async def test_channel_between_partners_carries_the_bytes(pinned: bool) -> None:
    ends = await honest(binding("initiator"), binding("responder"), pinned=pinned)
    assert list(ends) == [MARKER, MARKER]


@pytest.mark.parametrize(
    "other",
    [
        {"key": b"k" * 32},
        {"place": Place(b"s" * 16, 1, 0)},
        {"place": Place(bytes(16), 2, 0)},
        {"place": Place(bytes(16), 1, 1)},
        {"appointment": b"d" * 32},
        {"own_facts": replace(FAR, first_us=0)},
        {"far_facts": replace(OWN, shots=9)},
    ],
    ids=str,
)
async def test_channel_when_one_thing_was_seen_otherwise_is_refused_at_both_ends(
    other: dict[str, Any],
) -> None:
    ends = await honest(binding("initiator"), replace(binding("responder"), **other))
    assert [type(end) for end in ends] == [AuthenticationError, AuthenticationError]


@pytest.mark.parametrize("deceived", ROLES)
async def test_channel_when_the_announced_certificate_is_another_is_refused_at_both_ends(
    deceived: Role,
) -> None:
    near, far = tcp_pair()
    expected = {"initiator": B.fingerprint, "responder": A.fingerprint}
    expected[deceived] = MIDDLE.fingerprint
    async with asyncio.timeout(PATIENCE_S):
        ends = await asyncio.gather(
            use(near, binding("initiator"), A, expected["initiator"]),
            use(far, binding("responder"), B, expected["responder"]),
        )
    assert [type(end) for end in ends] == [AuthenticationError, AuthenticationError]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("pinned", [True, False])
async def test_channel_when_somebody_between_has_tls_with_each_end_is_refused(
    role: Role, pinned: bool
) -> None:
    saw = bytearray()

    async def between(far: socket.socket) -> None:
        # The greeting was relayed, so it has everything but the key.
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(far, encode_certificate(MIDDLE.certificate))
        head = await receive(far, HEADER.size)
        certificate = await receive(far, certificate_length(head))
        if role == "initiator":
            tls = Tls(MIDDLE.server_context(certificate), server=True)
        else:
            tls = Tls(MIDDLE.client_context(certificate), server=False)
        while not tls.shake_hands():
            await loop.sock_sendall(far, tls.to_send())
            tls.take(await receive(far, 1))
        await loop.sock_sendall(far, tls.to_send() + tls.seal(bytes(CONFIRM_BYTES)))
        await listen(far, tls, saw)

    victim = await against(role, between, pinned=pinned)
    assert isinstance(victim, AuthenticationError)
    assert MARKER not in saw
    if not pinned:
        assert len(saw) == CONFIRM_BYTES  # it did hear, and the proof is all that there was


async def listen(sock: socket.socket, tls: Tls, saw: bytearray) -> None:
    """Decrypt whatever else comes."""
    loop, buffer = asyncio.get_running_loop(), memoryview(bytearray(1 << 16))
    while True:
        with suppress(EOFError):
            saw += buffer[: tls.open_into(buffer)]
        data = await loop.sock_recv(sock, 1 << 16)
        if not data:
            return
        tls.take(data)


async def against(
    role: Role, attack: Callable[[socket.socket], Awaitable[None]], *, pinned: bool = True
) -> bytes | MidairError:
    """One honest end against an attack, which ends when the honest end has."""
    near, far = tcp_pair()
    expected = (B if role == "initiator" else A).fingerprint if pinned else None

    async def attacked() -> None:
        with suppress(OSError, MidairError, AssertionError, EOFError, ValueError):
            await attack(far)

    try:
        async with asyncio.timeout(PATIENCE_S):
            attacking = asyncio.ensure_future(attacked())
            end = await use(near, binding(role), A if role == "initiator" else B, expected)
            attacking.cancel()
            await asyncio.gather(attacking, return_exceptions=True)
            return end
    finally:
        far.close()


async def _silence(_: socket.socket) -> None:
    await asyncio.Event().wait()


async def _silence_behind_the_certificate(far: socket.socket) -> None:
    await asyncio.get_running_loop().sock_sendall(far, encode_certificate(B.certificate))
    await asyncio.Event().wait()


def _says(data: bytes, *, then_ends: bool = False) -> Callable[[socket.socket], Awaitable[None]]:
    async def attack(far: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(far, data)
        if then_ends:
            far.shutdown(socket.SHUT_WR)
        while await loop.sock_recv(far, 4096):
            pass

    return attack


CERTIFICATE = encode_certificate(B.certificate)
TRUNCATED = bytes.fromhex("16 0303 0100 02")
ATTACKS: dict[str, tuple[Callable[[socket.socket], Awaitable[None]], type[MidairError]]] = {
    "silence": (_silence, BrokenError),
    "silence behind the certificate": (_silence_behind_the_certificate, BrokenError),
    "garbage": (_says(b"GET / HTTP/1.1\r\n\r\n"), AuthenticationError),
    "a certificate too long": (_says(b"\x05\xff\xff" + bytes(65535)), AuthenticationError),
    "a certificate that is none": (_says(b"\x05\x00\x04nope"), AuthenticationError),
    "half a certificate": (_says(CERTIFICATE[:100], then_ends=True), BrokenError),
    "garbage for TLS": (_says(CERTIFICATE + b"GET / HTTP/1.1\r\n\r\n"), AuthenticationError),
    "a truncated record": (_says(CERTIFICATE + TRUNCATED, then_ends=True), BrokenError),
    "a truncated record, then silence": (_says(CERTIFICATE + TRUNCATED), BrokenError),
    "a record too long": (
        _says(CERTIFICATE + bytes.fromhex("16 0303 ffff") + bytes(70000)),
        AuthenticationError,
    ),
}


@pytest.mark.parametrize("role", ["initiator"])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_channel_when_the_far_end_is_no_peer_says_so(
    attack: str, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peer.io.channel.GRACE_S", 0.3)
    do, expected = ATTACKS[attack]
    assert type(await against(role, do)) is expected


@pytest.mark.parametrize("at", [0, 2, 100, 400, 420, 500, 900, 1000, 1100, 1200])
async def test_channel_when_a_bit_is_flipped_on_the_way_gives_nothing_wrong(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peer.io.channel.GRACE_S", 0.5)
    near, middle_near = tcp_pair()
    middle_far, far = tcp_pair()
    flipped = False

    async def relay(source: socket.socket, sink: socket.socket, *, flips: bool) -> None:
        nonlocal flipped
        loop, passed = asyncio.get_running_loop(), 0
        with suppress(OSError):
            while data := bytearray(await loop.sock_recv(source, 4096)):
                if flips and passed <= at < passed + len(data):
                    data[at - passed] ^= 1
                    flipped = True
                passed += len(data)
                await loop.sock_sendall(sink, data)
            sink.shutdown(socket.SHUT_WR)

    async with asyncio.timeout(PATIENCE_S):
        *_, one, other = await asyncio.gather(
            relay(middle_near, middle_far, flips=False),
            relay(middle_far, middle_near, flips=True),
            use(near, binding("initiator"), A, B.fingerprint),
            use(far, binding("responder"), B, A.fingerprint),
        )
    middle_near.close()
    middle_far.close()
    assert flipped
    assert isinstance(one, MidairError)  # it is the one that was lied to
    assert isinstance(other, MidairError) or other == MARKER

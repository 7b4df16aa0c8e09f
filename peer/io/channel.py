"""From a connection that won the race to one that nobody else can read.

Theory of operation
-------------------
The greeting keeps strangers away, but it is in the clear and binds nothing that follows it: who
sits on the path could let two peers prove themselves to each other and go on in their place.  So
before a byte of the user's goes out

1. each end sends the certificate that it made for this session, and compares the far one with the
   fingerprint that came with the appointment, if one came;
2. both do TLS 1.3, the initiator as client, and each takes the other's certificate and no other;
3. each proves inside TLS that it knows the key, over the certificates that TLS saw, the roles, the
   session, the appointment and both ends' facts.

A refused TLS client learns of it only when it reads: step 3 is that read, too.  It costs two round
trips.  Each failure is told to the far end, by a TLS alert or by a proof that does not hold there
either.  The whole has a limit of time, and takes no more bytes than a handshake can have.

Reference: RFC 8446; the messages are in :mod:`peer.core.confirm`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field

from peer.core.confirm import (
    CONFIRM_BYTES,
    HEADER,
    Transcript,
    certificate_length,
    confirmation,
    confirms,
    encode_certificate,
)
from peer.core.greeting import Facts
from peer.core.proof import Place
from peer.errors import AuthenticationError, BrokenError
from peer.io.identity import Identity, fingerprint
from peer.io.tls import Tls
from peer.io.wire import tune
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.messages import Role

GRACE_S = 3.0
"""Beside four round trips: two retransmissions (RFC 6298: 1 s, then 2 s)."""
HANDSHAKE_MAX = 64 * 1024
"""Bytes from the far end until it has confirmed; ours sends about 1,500."""
PIECE = 16 * 1024
FAREWELL_S = 1.0
"""How long a failed end waits for the far one to have read why."""
_BAD_CERTIFICATE = bytes.fromhex("15 0303 0002 02 2a")
"""RFC 8446 §6: a fatal alert, before there are keys."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What the channel is bound to, beside the certificates."""

    key: bytes = field(repr=False)
    role: Role
    place: Place
    appointment: bytes
    """SHA-256 of the appointment, or :data:`peer.core.confirm.NO_APPOINTMENT`."""
    own_facts: Facts
    """As they were told."""
    far_facts: Facts


async def secure(
    sock: socket.socket,
    identity: Identity,
    binding: Binding,
    *,
    expected: bytes | None,
    round_trip_s: float,
) -> Tls:
    """Encrypt a connection, and have the far end prove itself over it.

    Args:
        sock: connected, non-blocking, nothing read beyond SELECTED; stays the caller's to close.
        identity: this end's.
        binding: what must be the same at both ends.
        expected: fingerprint of the partner's certificate; None: nobody has brought one.
        round_trip_s: of this connection, in seconds.

    Returns:
        What the stream's bytes go through.

    Raises:
        AuthenticationError: the far end is not the partner, or somebody changed what it sent.
        BrokenError: the connection ended, or the far end fell silent.
    """
    shaking = _Handshake(sock, identity, binding, expected)
    try:
        tune(sock)
        async with asyncio.timeout(GRACE_S + 4 * round_trip_s):
            return await shaking.run()
    except TimeoutError:
        raise BrokenError(
            "the far end fell silent while the connection was being encrypted",
            "Start again on both sides, with a new code",
        ) from None
    except (ssl.SSLError, ProtocolError) as error:
        text = getattr(error, "reason", None) or str(error)
        await shaking.farewell()
        raise AuthenticationError(
            f"whoever is at the far end did not prove to be your partner ({text})",
            "Somebody on the path may be interfering: start again, with a new code",
        ) from None
    except OSError as error:
        raise BrokenError(
            f"the connection was lost while it was being encrypted: {error.strerror or error}",
            "Start again on both sides, with a new code",
        ) from None


class _Handshake:
    def __init__(
        self, sock: socket.socket, identity: Identity, binding: Binding, expected: bytes | None
    ) -> None:
        self._sock, self._identity = sock, identity
        self._binding, self._expected = binding, expected
        self._left = HANDSHAKE_MAX
        self._loop = asyncio.get_running_loop()

    async def run(self) -> Tls:
        await self._send(encode_certificate(self._identity.certificate))
        length = certificate_length(await self._exactly(HEADER.size))
        certificate = await self._exactly(length)
        if self._expected is not None and fingerprint(certificate) != self._expected:
            await self._send(_BAD_CERTIFICATE)
            raise ProtocolError("its certificate is another one than it announced")
        tls = self._begin(certificate)
        await self._shake_hands(tls)
        await self._confirm(tls)
        return tls

    def _begin(self, certificate: bytes) -> Tls:
        if self._binding.role == "initiator":
            return Tls(self._identity.client_context(certificate), server=False)
        return Tls(self._identity.server_context(certificate), server=True)

    async def _shake_hands(self, tls: Tls) -> None:
        while True:
            try:
                over = tls.shake_hands()
            finally:
                await self._send(tls.to_send())  # the alert of a failure, too
            if over:
                return
            tls.take(await self._some(PIECE))

    async def _confirm(self, tls: Tls) -> None:
        binding = self._binding
        own, far = self._identity.fingerprint, fingerprint(tls.far_certificate())
        first = binding.role == "initiator"
        transcript = Transcript(
            binding.place,
            *((own, far) if first else (far, own)),
            binding.appointment,
            *(
                (binding.own_facts, binding.far_facts)
                if first
                else (binding.far_facts, binding.own_facts)
            ),
        )
        await self._send(tls.seal(confirmation(binding.key, binding.role, transcript)))
        received, length = memoryview(bytearray(CONFIRM_BYTES)), 0
        while length < CONFIRM_BYTES:
            try:
                got = tls.open_into(received[length:])
            except EOFError:
                raise ProtocolError("it ended before it had proven itself") from None
            length += got
            if not got:
                tls.take(await self._some(PIECE))
        if not confirms(bytes(received), binding.key, binding.role, transcript):
            raise ProtocolError("its proof over the encrypted connection does not hold")

    async def _send(self, data: bytes) -> None:
        if data:
            await self._loop.sock_sendall(self._sock, data)

    async def _exactly(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            data += await self._some(n - len(data))
        return data

    async def _some(self, most: int) -> bytes:
        if self._left <= 0:
            raise ProtocolError("it sends more than a handshake can have")
        data = await self._loop.sock_recv(self._sock, most)
        if not data:
            raise ConnectionResetError("the far end closed it")
        self._left -= len(data)
        return data

    async def farewell(self) -> None:
        """Close our direction, and read on: a close with bytes unread would lose the alert."""
        with suppress(OSError, TimeoutError):
            self._sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(FAREWELL_S):
                while await self._loop.sock_recv(self._sock, PIECE):
                    pass

"""A partner that asks for new keys again and again (RFC 8446 section 4.6.3).

``ssl`` cannot ask, so what is sent here is sealed by hand, with the secret from the key log.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from peer.core.frames import Data, encode
from peer.errors import StreamBrokenError
from peer.io.identity import Identity
from peer.io.stream import Stream
from peer.io.tls import Tls
from peer.io.wire import WAITING_MAX
from tests.loopback.streams import PATIENCE_S, dispose, tcp_pair

SMALL = 4096
APPLICATION_DATA, HANDSHAKE = 23, 22
KEY_UPDATE_REQUESTED = bytes([24, 0, 0, 1, 1])


@dataclass
class Sealer:
    """The client's records, from the handshake on."""

    secret: bytes
    number: int = 0

    def _expand(self, label: bytes, length: int) -> bytes:
        """HKDF-Expand-Label of RFC 8446 section 7.1, without a context."""
        info = struct.pack("!HB", length, 6 + len(label)) + b"tls13 " + label + b"\0"
        return HKDFExpand(hashes.SHA384(), length, info).derive(self.secret)

    def record(self, kind: int, content: bytes) -> bytes:
        """Seal one record."""
        inner = content + bytes([kind])
        header = struct.pack("!BHH", APPLICATION_DATA, 0x0303, len(inner) + 16)
        number = self.number.to_bytes(12, "big")
        nonce = bytes(a ^ b for a, b in zip(self._expand(b"iv", 12), number, strict=True))
        self.number += 1
        return header + AESGCM(self._expand(b"key", 32)).encrypt(nonce, inner, header)

    def key_update(self) -> bytes:
        """Ask for new keys, and have new ones."""
        asked = self.record(HANDSHAKE, KEY_UPDATE_REQUESTED)
        self.secret, self.number = self._expand(b"traffic upd", 48), 0
        return asked


def _shaken(folder: Path) -> tuple[Tls, Sealer]:
    """The server's end of a handshake that is over, and the client's."""
    here, there = Identity.make(), Identity.make()
    context = there.client_context(here.certificate)
    context.keylog_filename = str(folder / "keys")
    server = Tls(here.server_context(there.certificate), server=True)
    client = Tls(context, server=False)
    over = False
    while not over:
        client.shake_hands()
        server.take(client.to_send())
        over = server.shake_hands()
        client.take(server.to_send())
    assert "AES_256_GCM_SHA384" in client.cipher()
    lines = (folder / "keys").read_text().splitlines()
    (secret,) = (line.split()[2] for line in lines if line.startswith("CLIENT_TRAFFIC_SECRET_0"))
    return server, Sealer(bytes.fromhex(secret))


async def test_partner_when_it_asks_for_new_keys_gets_its_bytes_through(tmp_path: Path) -> None:
    tls, sealer = _shaken(tmp_path)
    near, far = tcp_pair()
    with far:
        far.send(sealer.record(APPLICATION_DATA, encode(Data(b"old "))))
        far.send(sealer.key_update())
        far.send(sealer.record(APPLICATION_DATA, encode(Data(b"new"))))
        stream = await Stream.open(near, tls)
        async with asyncio.timeout(PATIENCE_S):
            got = await stream.read()
            while len(got) < 7:
                got += await stream.read()
        assert got == b"old new"
        await dispose(stream)


async def test_partner_when_it_asks_for_ever_and_reads_nothing_is_given_up(tmp_path: Path) -> None:
    tls, sealer = _shaken(tmp_path)
    near, far = tcp_pair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    with far:
        stream = await Stream.open(near, tls)
        broken = asyncio.create_task(stream.wait_broken())
        asked = 0
        async with asyncio.timeout(PATIENCE_S):
            # An answer is as long as the question; what the kernel holds comes on top.
            with suppress(ConnectionError):
                while not broken.done() and asked < 4 * WAITING_MAX:
                    questions = b"".join(sealer.key_update() for _ in range(100))
                    asked += len(questions)
                    await asyncio.get_running_loop().sock_sendall(far, questions)
                    await asyncio.sleep(0)  # the stream's turn
        assert WAITING_MAX < asked < 4 * WAITING_MAX
        with pytest.raises(StreamBrokenError, match="has us answer and reads nothing"):
            await broken

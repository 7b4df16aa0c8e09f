"""One end of a transfer, as a process of its own: ``FD ROLE ORDER SIZE``, a JSON line on stdout.

While it reads it prints how many bytes it has, each time before it asks for more: what is
acknowledged was printed first.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import sys
from typing import cast

from peer.core.confirm import NO_APPOINTMENT
from peer.core.greeting import Facts
from peer.core.proof import Place
from peer.errors import MidairError
from peer.io.channel import Binding, secure
from peer.io.identity import Identity
from peer.io.stream import Stream
from rendezvous.protocol.messages import Role

FACTS = Facts(1, 1, 0, 0, 0, 0)
CHUNK = 48 * 1024


def pattern(role: str, size: int) -> bytes:
    """What this role sends: nothing of it repeats at a chunk's or a record's length."""
    return (hashlib.shake_128(role.encode()).digest(9973) * (size // 9973 + 1))[:size]


class End:
    """One end."""

    def __init__(self, stream: Stream, data: bytes) -> None:
        """Keep what it sends."""
        self.stream, self.data = stream, data
        self.received, self.sha = 0, hashlib.sha256()

    async def send(self) -> None:
        """Write all, then the end."""
        for at in range(0, len(self.data), CHUNK):
            await self.stream.write(self.data[at : at + CHUNK])
        await self.stream.write_eof()

    async def receive(self) -> None:
        """Read to the end."""
        async for data in self.stream:
            self.received += len(data)
            self.sha.update(data)
            print(self.received, flush=True)


async def run(sock: socket.socket, role: Role, order: str, size: int) -> dict[str, object]:
    """Do one transfer, and say how it went."""
    binding = Binding(bytes(32), role, Place(bytes(16), 1, 0), NO_APPOINTMENT, FACTS, FACTS)
    tls = await secure(sock, Identity.make(), binding, expected=None, round_trip_s=0)
    stream = await Stream.open(sock, tls)
    end, complete = End(stream, pattern(role, size)), True
    try:
        if order == "send-receive":
            await end.send()
            await end.receive()
        elif order == "receive-send":
            await end.receive()
            await end.send()
        else:
            await asyncio.gather(end.send(), end.receive())
        await stream.close()
    except MidairError as error:
        complete = False
        print(error, file=sys.stderr)
    return {"complete": complete, "received": end.received, "sha": end.sha.hexdigest()}


if __name__ == "__main__":
    number, own_role, own_order, own_size = sys.argv[1:]
    own = socket.socket(fileno=int(number))
    own.setblocking(False)
    try:
        outcome = asyncio.run(run(own, cast("Role", own_role), own_order, int(own_size)))
    except MidairError:
        outcome = {"complete": False, "received": 0, "sha": ""}
    print(json.dumps(outcome), flush=True)

"""Use the plain socket for a protocol of one's own: here one side asks what the other one runs on.

    python examples/own_protocol.py URL          prints a code, and answers
    python examples/own_protocol.py URL CODE     on the other host: asks

`peer.punch` gives the connected socket and nothing else: no framing, no encryption.  Whatever takes
a socket can use it; put TLS on it (`ssl.SSLContext.wrap_socket`) before a secret goes over it.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys

import peer

NTP = os.environ.get("MIDAIR_NTP", "time.cloudflare.com time.google.com").split()
"""As for the commands."""


async def answer(url: str) -> None:
    """Make a code, and answer one question."""
    sock, _ = await peer.punch(
        rendezvous=url, ntp=NTP, on_code=lambda code: print(code, flush=True)
    )
    reader, writer = await asyncio.open_connection(sock=sock)
    if await reader.readline() == b"HOST?\n":
        writer.write(f"{platform.system()} {platform.machine()}\n".encode())
    writer.close()
    await writer.wait_closed()


async def ask(url: str, code: str) -> None:
    """Join the partner who made the code, and ask."""
    sock, facts = await peer.punch(code, rendezvous=url, ntp=NTP)
    reader, writer = await asyncio.open_connection(sock=sock)
    writer.write(b"HOST?\n")
    said = (await reader.readline()).decode().strip()
    print(f"{facts.remote} is {said}")
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    try:
        asyncio.run(ask(sys.argv[1], sys.argv[2]) if len(sys.argv) > 2 else answer(sys.argv[1]))
    except peer.MidairError as error:
        sys.exit(f"own_protocol: {error}")

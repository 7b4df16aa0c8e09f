"""Meet the partner at an agreed time, without any server, and say hello.

    python examples/meeting.py HOST TIME PORT [REMOTE_PORT]

Both sides name each other's public address, the same time (2026-11-21T20:15:00+01:00) and the
port; MIDAIR_SECRET, from `midair meet --new-secret`, proves who is there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime

import peer

NTP = os.environ.get("MIDAIR_NTP", "time.cloudflare.com time.google.com").split()
"""As for the commands."""


async def main(host: str, at: str, port: str, remote_port: str | None = None) -> None:
    """Meet, and exchange a line."""
    meeting = peer.meet(
        host,
        at=datetime.fromisoformat(at),
        port=int(port),
        remote_port=None if remote_port is None else int(remote_port),
        secret=os.environ.get("MIDAIR_SECRET"),
        ntp=NTP,
    )
    async with meeting as link:
        await link.stream.write(f"hello from {link.facts.local}".encode())
        await link.stream.write_eof()
        print(b"".join([data async for data in link.stream]).decode())


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except peer.MidairError as error:
        sys.exit(f"meeting: {error}")

"""Send files and folders, and receive them if they are not too large.

python examples/files.py send URL PATH...        prints a code
python examples/files.py receive URL CODE FOLDER
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine

import peer
from peer.core.trace import FilesOffered

NTP = os.environ.get("MIDAIR_NTP", "time.cloudflare.com time.google.com").split()
"""As for the commands."""
LARGEST = 1_000_000_000
"""Bytes that are taken."""


def show(code: str) -> None:
    """Print the code at once, also where standard output is a pipe."""
    print(f"code: {code}", flush=True)


async def send(url: str, *paths: str) -> None:
    """Send; when this returns the partner has checked every file."""
    done = await peer.send(paths, rendezvous=url, ntp=NTP, on_code=show)
    print(f"{done.files} files, {done.size} bytes")


async def receive(url: str, code: str, folder: str) -> None:
    """Receive into a folder."""

    def accept(offered: FilesOffered) -> bool:
        print("offered:", ", ".join(offered.names))
        return offered.size <= LARGEST

    done = await peer.receive(code, folder, accept=accept, rendezvous=url, ntp=NTP)
    print(f"{done.files} files, {done.size} bytes")


ROLES: dict[str, Callable[..., Coroutine[None, None, None]]] = {"send": send, "receive": receive}

if __name__ == "__main__":
    try:
        asyncio.run(ROLES[sys.argv[1]](*sys.argv[2:]))
    except peer.MidairError as error:
        sys.exit(f"files: {error}")

"""Two people type to each other, over one direct connection.

    python examples/talk.py URL          prints a code
    python examples/talk.py URL CODE     on the other host

URL is that of a `midair-rendezvous` which both hosts reach.  Ctrl-D ends one's own direction; the
other one goes on until its writer ends it, too.
"""

from __future__ import annotations

import asyncio
import os
import sys

import peer

NTP = os.environ.get("MIDAIR_NTP", "time.cloudflare.com time.google.com").split()
"""As for the commands."""


async def talk(link: peer.Link) -> None:
    """Send the lines of standard input, and print the partner's."""
    print(f"connected to {link.facts.remote}", file=sys.stderr)

    async def send() -> None:
        while line := await asyncio.to_thread(sys.stdin.readline):
            await link.stream.write(line.encode())
        await link.stream.write_eof()

    async def receive() -> None:
        async for data in link.stream:
            sys.stdout.write(data.decode(errors="replace"))
            sys.stdout.flush()

    await asyncio.gather(send(), receive())


def show(code: str) -> None:
    """Print the code at once, also where standard output is a pipe."""
    print(f"code: {code}", file=sys.stderr, flush=True)


async def main(url: str, code: str | None) -> None:
    """Listen, or connect where a code is given."""
    if code is None:
        connecting = peer.listen(rendezvous=url, ntp=NTP, on_code=show)
    else:
        connecting = peer.connect(code, rendezvous=url, ntp=NTP)
    async with connecting as link:
        await talk(link)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
    except peer.MidairError as error:
        sys.exit(f"talk: {error}")

"""Show a folder to the partner as a web site, without a port that anybody else can reach.

    python examples/web.py serve URL FOLDER         prints a code
    python examples/web.py get URL CODE [PATH]...   on the other host: prints these pages
    python examples/web.py bind URL CODE PORT       or: for a browser, at http://127.0.0.1:PORT

`peer.serve` leads the partner's connections to a target, here Python's own web server.
`peer.dial` opens streams to it from a program, `peer.bind` listens for other programs.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import peer

NTP = os.environ.get("MIDAIR_NTP", "time.cloudflare.com time.google.com").split()
"""As for the commands."""


def show(code: str) -> None:
    """Print the code at once, also where standard output is a pipe."""
    print(f"code: {code}", flush=True)


async def serve(url: str, folder: str) -> None:
    """Serve the folder until the partner leaves."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    await peer.serve(f"{host!s}:{port}", rendezvous=url, ntp=NTP, on_code=show)


async def get(url: str, code: str, *paths: str) -> None:
    """Ask for some pages at once, each over a stream of its own."""
    async with peer.dial(code, rendezvous=url, ntp=NTP) as dialer:

        async def page(path: str) -> bytes:
            stream = await dialer.open()
            await stream.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            answer = b""
            while data := await stream.read():
                answer += data
            await stream.write_eof()
            return answer.partition(b"\r\n\r\n")[2]

        for text in await asyncio.gather(*map(page, paths or ("/",))):
            print(text.decode(errors="replace"), end="")


async def bind(url: str, code: str, port: str) -> None:
    """Listen for a browser until the partner leaves."""
    on_event = functools.partial(print, flush=True)
    await peer.bind(code, [port], rendezvous=url, ntp=NTP, on_event=on_event)


ROLES: dict[str, Callable[..., Coroutine[None, None, None]]] = {
    "serve": serve,
    "get": get,
    "bind": bind,
}

if __name__ == "__main__":
    try:
        asyncio.run(ROLES[sys.argv[1]](*sys.argv[2:]))
    except peer.MidairError as error:
        sys.exit(f"web: {error}")
    except KeyboardInterrupt:
        sys.exit(130)

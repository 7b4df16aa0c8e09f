"""NTP servers that are missing or of no use: the rendezvous's clock serves instead."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.loopback.chrony import chronyd
from tests.loopback.faults.peer.manners import Talk
from tests.loopback.faults.peer.partner import partner, playing
from tests.loopback.faults.peer.process import ended, event
from tests.loopback.programs import Peer

Respond = Callable[[bytes], Sequence[bytes]]
"""From a request to the datagrams that come back."""
_ORIGIN = slice(24, 32)
_TRANSMIT = slice(40, 48)
NOW_1900_S = 3_990_000_000
"""June 2026, as NTP counts."""


def reply(request: bytes, **changes: int | bytes) -> bytes:
    """Answer as an honest server of stratum 2 would, but for the changes."""
    fields: dict[str, object] = {
        "flags": 0x24,  # no leap second, version 4, server
        "stratum": 2,
        "poll": 6,
        "precision": 0xEC,
        "root_delay": 0x100,
        "root_dispersion": 0x100,
        "reference": b"\x7f\0\0\1",
        "origin": request[_TRANSMIT],
        "received": NOW_1900_S << 32,
        "sent": (NOW_1900_S << 32) + 1,
    } | changes
    first = [fields[name] for name in list(fields)[:7]]
    stamps = (NOW_1900_S << 32, fields["origin"], fields["received"], fields["sent"])
    return struct.pack("!BBBBII4s", *first) + struct.pack("!Q8sQQ", *stamps)


EVIL: dict[str, Respond] = {
    "nothing": lambda _: [],
    "garbage": lambda _: [b"\xff" * 48],
    "an empty datagram": lambda _: [b""],
    "half a packet": lambda request: [reply(request)[:40]],
    "64 KiB": lambda _: [bytes(65_000)],
    "its own request": lambda request: [request],
    "kiss-o'-death RATE": lambda request: [reply(request, stratum=0, reference=b"RATE")],
    "kiss-o'-death DENY": lambda request: [reply(request, stratum=0, reference=b"DENY")],
    "another origin": lambda request: [reply(request, origin=b"guessed!")],
    "a huge root distance": lambda request: [reply(request, root_dispersion=0xFFFF_FFFF)],
    "no synchronisation": lambda request: [reply(request, flags=0xE4, stratum=16)],
    "an answer before the question": lambda request: [reply(request, sent=1 << 63)],
    "a thousand answers": lambda request: [reply(request, origin=b"flooding")] * 1000,
}


@contextlib.contextmanager
def ntp_server(respond: Respond) -> Iterator[str]:
    """Answer on a UDP socket; yields ``HOST:PORT``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                request, client = udp.recvfrom(512)
                if request == b"stop":
                    return
                for datagram in respond(request):
                    with contextlib.suppress(OSError):  # the client's socket is gone
                        udp.sendto(datagram, client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{udp.getsockname()[1]}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
                while thread.is_alive():
                    ending.sendto(b"stop", udp.getsockname())
                    thread.join(0.1)


async def meets_by(url: str, *servers: str) -> Peer:
    """Let a peer with these servers meet a partner without any; returns the peer, which has ended.

    One that nobody has stands beside them, as a peer always has more than one.
    """
    true = Talk(b"on time")
    words = [word for server in servers for word in ("--ntp", server)]
    async with partner(url, {0: true}) as played:
        with Peer("listen", "--json", *words, url=url) as one:
            await played.join((await event(one, "code"))["code"])
            async with playing(played):
                assert await ended(one, b"as you are") == (0, b"on time")
    assert true.heard == b"as you are"
    return one


def said(peer: Peer, name: str) -> dict[str, object]:
    """Return the first event of this name."""
    return next(one for one in peer.events if one["event"] == name)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server that is right."""
    with chronyd(Path(tmp_path_factory.mktemp("chrony")) / "right") as server:
        yield server


async def test_ntp_when_its_only_server_is_of_no_use_the_rendezvous_has_the_time(url: str) -> None:
    async def meets(respond: Respond) -> None:
        with ntp_server(respond) as evil:
            one = await meets_by(url, evil)
        assert said(one, "clock")["ntp"] is None
        assert said(one, "appointment")["timescale"] == "rendezvous"

    # Together, since most of it is waiting; each has a peer of its own.
    async with asyncio.TaskGroup() as group:
        for name, respond in EVIL.items():
            group.create_task(meets(respond), name=name)


async def test_ntp_when_one_peer_has_none_is_used_by_neither(url: str, right: str) -> None:
    one = await meets_by(url, right)
    clock = said(one, "clock")["ntp"]
    assert isinstance(clock, dict)
    assert clock["servers"] == [right]
    assert said(one, "appointment")["timescale"] == "rendezvous"


async def test_ntp_when_one_server_of_many_is_right_is_believed(url: str, right: str) -> None:
    with contextlib.ExitStack() as stack:
        evil = [stack.enter_context(ntp_server(respond)) for respond in EVIL.values()]
        one = await meets_by(url, *evil, right)
    clock = said(one, "clock")["ntp"]
    assert isinstance(clock, dict)
    assert (clock["servers"], clock["falsetickers"]) == ([right], [])

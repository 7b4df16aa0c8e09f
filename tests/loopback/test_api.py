"""The Python interface: this process is one side, the other is a process of its own."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest

import peer
from peer.core.secret import Secret
from peer.core.trace import Paired
from tests.loopback.programs import NO_NTP, PATIENCE_S, Peer, rendezvous

PUNCH = """
import asyncio, sys, peer

async def main():
    sock, facts = await peer.punch(sys.argv[1], rendezvous=sys.argv[2], ntp=[sys.argv[3]])
    with sock:
        sock.setblocking(True)
        sock.sendall(b"plain bytes")
        assert sock.recv(1) == b""

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


async def test_connect_when_the_partner_listens_gives_a_stream_and_its_facts(url: str) -> None:
    with Peer("listen", "--json", url=url) as partner:
        code = partner.wait_for("code")["code"]
        partner.send(b"hello")
        partner.end_input()
        async with peer.connect(code, rendezvous=url, ntp=[NO_NTP]) as link:
            assert await link.stream.read() == b"hello"
            await link.stream.write(b"and back")

        assert await asyncio.to_thread(partner.finish) == (0, b"and back")
        theirs = next(event for event in partner.events if event["event"] == "connected")
    assert link.facts.remote == theirs["local"]
    assert link.facts.skew_us == -theirs["skew_us"]
    assert link.facts.first_shot == theirs["first_shot"]
    assert link.trace[0] == Paired("b")


async def test_listen_when_a_partner_comes_gives_a_stream(url: str) -> None:
    partners: list[Peer] = []

    def start(code: str) -> None:
        partners.append(Peer("connect", code, url=url))
        partners[0].send(b"from outside")
        partners[0].end_input()

    async with peer.listen(rendezvous=url, on_code=start, ntp=[NO_NTP]) as link:
        data = b"".join([chunk async for chunk in link.stream])
    with partners[0] as partner:
        assert await asyncio.to_thread(partner.finish) == (0, b"")
    assert data == b"from outside"


async def test_link_over_the_relay_is_a_stream_like_any_other(url: str) -> None:
    with Peer("listen", "--json", url=url, env={"MIDAIR_RELAY": "auto"}) as partner:
        code = partner.wait_for("code")["code"]
        partner.send(b"hello")
        partner.end_input()
        async with peer.connect(code, rendezvous=url, ntp=[NO_NTP], relay="only") as link:
            assert await link.stream.read() == b"hello"
            await link.stream.write(b"and back")
        assert await asyncio.to_thread(partner.finish) == (0, b"and back")
    assert (link.facts.path, link.facts.authenticated) == ("relay", True)


async def test_secret_when_both_sides_have_it_needs_no_code(url: str) -> None:
    secret = str(Secret(secrets.token_bytes(16)))
    with Peer("connect", "--json", url=url, env={"MIDAIR_SECRET": secret}) as partner:
        partner.send(b"hello")
        partner.end_input()
        async with peer.listen(secret=secret, rendezvous=url, ntp=[NO_NTP]) as link:
            assert await link.stream.read() == b"hello"
        assert await asyncio.to_thread(partner.finish) == (0, b"")


async def test_link_when_left_by_an_exception_raises_it_as_it_is(url: str) -> None:
    with Peer("listen", "--json", url=url) as partner:
        code = partner.wait_for("code")["code"]
        with pytest.raises(KeyError, match="mine"):
            async with peer.connect(code, rendezvous=url, ntp=[NO_NTP]):
                raise KeyError("mine")
        assert (await asyncio.to_thread(partner.finish))[0] == 1
        assert "KeyError" in partner.events[-1]["message"]


async def test_punch_when_both_call_it_gives_the_plain_socket(url: str) -> None:
    others: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> None:
        command = [sys.executable, "-c", PUNCH, code, url, NO_NTP]
        others.append(subprocess.Popen(command))

    sock, facts = await peer.punch(rendezvous=url, on_code=start, ntp=[NO_NTP])
    loop = asyncio.get_running_loop()
    with sock:
        data = b""
        while len(data) < len(b"plain bytes"):
            data += await loop.sock_recv(sock, 100)
        host, port = sock.getpeername()
    assert data == b"plain bytes"
    assert facts.remote == f"{host}:{port}"
    assert await asyncio.to_thread(others[0].wait, PATIENCE_S) == 0


async def test_connect_when_the_code_is_none_raises_a_usage_error(url: str) -> None:
    with pytest.raises(peer.UsageError, match="is no code"):
        peer.connect("nonsense", rendezvous=url)


async def test_listen_when_nobody_comes_in_time_raises_no_path(url: str) -> None:
    with pytest.raises(peer.NoPathError, match="did not come in time"):
        async with peer.listen(rendezvous=url, on_code=lambda _: None, ntp=[NO_NTP], timeout_s=0.1):
            raise AssertionError("there is no partner")

"""What a connection is for, from Python: one side is this process, the other one a program."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import peer
from peer.core.trace import Connected, Forwarded, TraceEvent
from tests.loopback.ports import free_ports
from tests.loopback.programs import NO_NTP, Peer, rendezvous
from tests.loopback.test_uses import ask, echoing

SECRET = "aaaqeayeaudaocajbifqydiob4"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


async def test_dial_opens_streams_and_ends_the_partner_in_order(url: str) -> None:
    with echoing() as target, Peer("listen", "--json", "--forward", target, url=url) as partner:
        code = partner.wait_for("code")["code"]
        async with peer.dial(code, rendezvous=url, ntp=[NO_NTP]) as dialer:
            streams = [await dialer.open() for _ in range(5)]
            for number, stream in enumerate(streams):
                await stream.write(b"%d" % number)
                await stream.write_eof()
            assert [await stream.read() for stream in streams] == [b"0", b"1", b"2", b"3", b"4"]
            assert [await stream.read() for stream in streams] == [b""] * 5
            with pytest.raises(peer.PlaceRefusedError, match="not allowed"):
                await dialer.open("127.0.0.1:1")
            assert dialer.facts.path == "direct"
        assert await asyncio.to_thread(partner.finish) == (0, b"")


async def test_dial_when_left_by_an_exception_raises_it_as_it_is(url: str) -> None:
    with echoing() as target, Peer("listen", "--json", "--forward", target, url=url) as partner:
        code = partner.wait_for("code")["code"]

        async def fail() -> None:
            async with peer.dial(code, rendezvous=url, ntp=[NO_NTP]) as dialer:
                await dialer.open()
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await fail()
        assert (await asyncio.to_thread(partner.finish))[0] == 1
        assert "1 connection was open" in partner.events[-1]["message"]


async def test_serve_with_a_secret_is_reached_by_a_pipe(url: str) -> None:
    told: list[TraceEvent] = []
    with echoing() as target:
        env = {"MIDAIR_SECRET": SECRET}
        with Peer("connect", "--json", url=url, env=env) as partner:
            partner.send(b"hello")
            partner.end_input()
            await peer.serve(
                target, rendezvous=url, ntp=[NO_NTP], secret=SECRET, on_event=told.append
            )
            assert await asyncio.to_thread(partner.finish) == (0, b"hello")
    assert any(isinstance(event, Connected) for event in told)


async def test_bind_listens_until_it_is_cancelled(url: str) -> None:
    near = f"127.0.0.1:{free_ports()}"
    told: list[TraceEvent] = []
    listening, carried = asyncio.Event(), asyncio.Event()

    def tell(event: TraceEvent) -> None:
        told.append(event)
        if event.event == "forwarding":
            listening.set()
        if isinstance(event, Forwarded):
            carried.set()

    with echoing() as target, Peer("listen", "--json", "--forward", target, url=url) as partner:
        code = partner.wait_for("code")["code"]
        async with asyncio.TaskGroup() as tasks:
            binding = tasks.create_task(
                peer.bind(code, [near], rendezvous=url, ntp=[NO_NTP], on_event=tell)
            )
            await listening.wait()
            assert await asyncio.to_thread(ask, near, b"hi") == b"hi"
            await carried.wait()
            binding.cancel()
        assert await asyncio.to_thread(partner.finish) == (0, b"")
    with pytest.raises(ConnectionRefusedError):
        ask(near, b"")


async def test_receive_asks_and_a_no_is_told_to_the_sender(url: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 1000)
    (tmp_path / "to").mkdir()
    with Peer("send", "--json", str(tmp_path / "a"), url=url) as partner:
        code = partner.wait_for("code")["code"]
        with pytest.raises(peer.TransferError, match="declined"):
            await peer.receive(
                code,
                tmp_path / "to",
                accept=lambda offered: offered.size < 1000,
                rendezvous=url,
                ntp=[NO_NTP],
            )
        assert (await asyncio.to_thread(partner.finish))[0] == 7


async def test_connect_when_the_partner_sends_files_raises_a_usage_error(
    url: str, tmp_path: Path
) -> None:
    (tmp_path / "a").touch()
    with Peer("send", "--json", str(tmp_path / "a"), url=url) as partner:
        code = partner.wait_for("code")["code"]
        with pytest.raises(peer.UsageError, match="midair receive"):
            async with peer.connect(code, rendezvous=url, ntp=[NO_NTP]):
                raise AssertionError("there is no pipe")
        assert (await asyncio.to_thread(partner.finish))[0] == 2


async def test_calls_whose_arguments_make_no_sense_raise_usage_errors(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:1"
    with pytest.raises(peer.UsageError, match="somebody must hear"):
        await peer.serve("127.0.0.1:1", rendezvous=nowhere)
    with pytest.raises(peer.UsageError, match="is not a port"):
        await peer.serve("nonsense:", rendezvous=nowhere, on_code=print)
    with pytest.raises(peer.UsageError, match="unix socket"):
        await peer.bind("4-a-b", ["8080"], to="unix:/x", rendezvous=nowhere)
    with pytest.raises(peer.UsageError, match="a code or a secret"):
        peer.dial(rendezvous=nowhere)
    with pytest.raises(peer.UsageError, match="cannot be sent"):
        await peer.send([tmp_path / "none"], rendezvous=nowhere, on_code=print)
    with pytest.raises(peer.UsageError, match="cannot be written into"):
        await peer.receive("4-a-b", tmp_path / "none", rendezvous=nowhere)
    with pytest.raises(peer.UsageError, match="both `at` and `port`"):
        peer.meet("127.0.0.1", port=4000)

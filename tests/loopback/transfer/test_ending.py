"""The end of a transfer where the partner says nothing more: everything has been stored by then."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from peer.api_session import run
from peer.apps.receive import Receiver
from peer.apps.send import Sender
from peer.core.offer import Offer, Side, Use
from peer.core.stream_machine import WINDOW
from peer.core.trace import FilesDone, TraceEvent, Warned
from peer.core.transfer.messages import (
    Accepted,
    Begin,
    Complete,
    Entries,
    Entry,
    Offered,
    Stored,
)
from peer.errors import StreamBrokenError
from peer.io import patience
from peer.io.attempt import Won
from peer.io.offer import exchange
from peer.io.stream import Stream
from peer.io.transfer.folder import Folder
from peer.io.transfer.source import list_files
from peer.io.transfer.talk import Talk
from tests.loopback.streams import read_all, slow_streams, tcp_pair, two_streams
from tests.unit.peer.test_present import CONNECTED

SHA_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LOOK_S", 0.01)


async def test_sender_when_the_receiver_stops_after_the_last_file_is_done_and_says_so(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").touch()
    told: list[TraceEvent] = []
    sender = Sender(list_files([str(tmp_path / "a")]))
    async with two_streams() as (a, b):
        sending = asyncio.create_task(sender.use(a, told.append))
        await exchange(b, Offer(Use.FILES, Side.TAKES))
        await _take_a(b)
        await sending  # from here on b is not read
    warned, done = told[-2:]
    assert isinstance(warned, Warned)
    assert warned.message.startswith("your partner has every file, and did not answer")
    assert isinstance(done, FilesDone)


async def _take_a(stream: Stream) -> None:
    talk = Talk(stream)
    assert isinstance(await talk.hear(), Entries)
    assert await talk.hear() == Offered(1, 0, 0)
    await talk.say(Accepted())
    assert await talk.hear() == Begin(0, 0)
    assert await talk.hear() == Complete(SHA_OF_NOTHING)
    await talk.say(Stored(0))


@dataclass(frozen=True, slots=True)
class Given:
    """A session that has its connection already."""

    sock: socket.socket

    async def run(self) -> Won:
        """Return it."""
        return Won(self.sock, CONNECTED)

    async def goodbye(self) -> None:
        """Do nothing."""


async def test_send_from_python_when_the_receiver_dies_after_the_last_file_returns(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").touch()
    told: list[TraceEvent] = []
    sender = Sender(list_files([str(tmp_path / "a")]), bar=False)
    near, far = tcp_pair()
    b = await Stream.open(far)
    sending = asyncio.create_task(run(Given(near), sender.use, told.append))
    await exchange(b, Offer(Use.FILES, Side.TAKES))
    await _take_a(b)
    b._wire.drop()
    await sending
    assert isinstance(told[-1], FilesDone)


async def test_receiver_when_the_sender_stops_after_the_last_file_is_done_and_says_so(
    tmp_path: Path,
) -> None:
    told: list[TraceEvent] = []
    receiver = Receiver(Folder(str(tmp_path), overwrite=False), None)
    async with two_streams() as (a, b):
        receiving = asyncio.create_task(receiver.use(a, told.append))
        await exchange(b, Offer(Use.FILES, Side.GIVES))
        talk = Talk(b)
        await talk.say(Entries((Entry("a", "file"),)))
        await talk.say(Offered(1, 0, 0))
        assert await talk.hear() == Accepted()
        await talk.say(Begin(0, 0))
        await talk.say(Complete(SHA_OF_NOTHING))
        await receiving
    warned, done = told[-2:]
    assert isinstance(warned, Warned)
    assert warned.message.startswith("every file is here; your partner may not know")
    assert isinstance(done, FilesDone)
    assert (tmp_path / "a").exists()


async def test_stop_when_the_partner_takes_nothing_leaves_all_the_same() -> None:
    async with two_streams() as (a, b):
        await a.write(bytes(WINDOW))
        await Talk(a).stop("it changed")
        with pytest.raises(StreamBrokenError, match="it changed"):
            await read_all(b)


async def test_end_when_the_link_is_slow_waits_for_as_long_as_anything_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "LOOK_S", 0.08)
    async with slow_streams(25_000) as (a, b):
        # Four seconds, and of them more than two in which this side sees movement; then what is
        # in the link's own buffers, of which it sees nothing. Two are the limit.
        await a.write(bytes(100_000))
        ending, all_of_it = await asyncio.gather(Talk(a).end(), _read_to_the_end(b))
    assert ending
    assert all_of_it == 100_000


async def _read_to_the_end(stream: Stream) -> int:
    length = len(await read_all(stream))
    await stream.close()
    return length

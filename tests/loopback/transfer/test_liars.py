"""Partners that lie about files: found out, and nothing they named is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peer.apps.receive import Receiver
from peer.apps.send import Sender
from peer.core.offer import Offer, Side, Use
from peer.core.transfer.messages import (
    Accepted,
    Begin,
    Complete,
    Entries,
    Entry,
    Having,
    Message,
    Offered,
    Part,
)
from peer.errors import BrokenError, MidairError
from peer.io.offer import exchange
from peer.io.stream import Stream
from peer.io.transfer.folder import Folder
from peer.io.transfer.source import list_files
from peer.io.transfer.talk import Talk
from tests.loopback.streams import dispose, two_streams
from tests.loopback.transfer.sides import contents

SHA_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
async def liar(to: Path) -> AsyncIterator[tuple[Talk, Stream, asyncio.Task[MidairError]]]:
    """A sender that says what the test says, and the receiver that hears it."""
    receiver = Receiver(Folder(str(to), overwrite=True), None)

    async def receive(stream: Stream) -> MidairError:
        with pytest.raises(MidairError) as caught:
            await receiver.use(stream, lambda _: None)
        return caught.value

    async with two_streams() as (a, b), asyncio.TaskGroup() as group:
        task = group.create_task(receive(b))
        await exchange(a, Offer(Use.FILES, Side.GIVES))
        yield Talk(a), a, task
        await dispose(a)


@pytest.mark.parametrize(
    "name", ["../out", "/tmp/out", "a/../../out", "", "a\0b", "tree/../../out", ".a.midair-part"]
)
async def test_name_when_hostile_is_refused_and_nothing_is_written(
    name: str, liar: tuple[Talk, Stream, asyncio.Task[MidairError]], to: Path
) -> None:
    talk, _, task = liar
    await talk.say(Entries((Entry("fine", "folder"), Entry(name, "file", 3))))
    error = await task

    assert isinstance(error, BrokenError)
    assert "is refused" in error.what
    assert contents(to) == {}
    assert contents(to.parent) == {"to": None}


@pytest.mark.parametrize("lie", ["too much", "too little", "wrong digest", "wrong place", "end"])
async def test_sender_when_it_lies_leaves_no_file(
    lie: str, liar: tuple[Talk, Stream, asyncio.Task[MidairError]], to: Path
) -> None:
    talk, stream, task = liar
    await talk.say(Entries((Entry("a", "file", 3),)))
    await talk.say(Offered(1, 0, 3))
    assert await talk.hear() == Accepted()
    says: dict[str, list[Message | bytes]] = {
        "too much": [Begin(0, 0), b"four"],
        "too little": [Begin(0, 0), b"ab", Complete(SHA_OF_NOTHING)],
        "wrong digest": [Begin(0, 0), b"abc", Complete(SHA_OF_NOTHING)],
        "wrong place": [Begin(0, 2), b"c", Complete(SHA_OF_NOTHING)],
        "end": [Begin(0, 0), b"ab"],
    }
    for said in says[lie]:
        await (talk.give(said) if isinstance(said, bytes) else talk.say(said))
    if lie == "end":
        await stream.write_eof()
    await task
    assert not (to / "a").exists()


async def test_receiver_when_it_lies_of_what_it_has_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    sender = Sender(list_files([str(tmp_path / "a")]))

    async def send(stream: Stream) -> None:
        with pytest.raises(BrokenError, match="the connection broke"):
            await sender.use(stream, lambda _: None)

    async with two_streams() as (a, b), asyncio.TaskGroup() as group:
        group.create_task(send(a))
        await exchange(b, Offer(Use.FILES, Side.TAKES))
        talk = Talk(b)
        await talk.hear()
        await talk.hear()
        await talk.say(Having((Part(0, 2, SHA_OF_NOTHING),)))
        await talk.say(Accepted())
        assert await talk.hear() == Begin(0, 0)
        await dispose(b)

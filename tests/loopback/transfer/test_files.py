"""Files over two streams on loopback: what arrives, what is refused, what is taken up again."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from peer.apps.receive import Ask, Receiver
from peer.apps.send import Sender
from peer.core.offer import Offer, Side, Use
from peer.core.trace import Asking, FilesDone, FilesOffered, FileStored, TraceEvent
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
from peer.errors import BrokenError, MidairError, TransferError, UsageError
from peer.io.offer import exchange
from peer.io.stream import Stream
from peer.io.transfer.folder import Folder
from peer.io.transfer.source import list_files
from peer.io.transfer.talk import Talk
from tests.loopback.streams import dispose, some_bytes, two_streams

Ends = tuple[BaseException | None, BaseException | None]
SHA_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Transfer:
    """A sender and a receiver, and what they tell."""

    def __init__(self, to: Path, *, overwrite: bool = False, ask: Ask | None = None) -> None:
        """Prepare."""
        self.folder = Folder(str(to), overwrite=overwrite)
        self.receiver = Receiver(self.folder, ask)
        self.told: list[TraceEvent] = []
        self.told_sender: list[TraceEvent] = []
        self.tell_sender: Callable[[TraceEvent], None] = self.told_sender.append

    async def run(self, *paths: Path) -> Ends:
        """Send; returns how each side ended."""
        sender = Sender(list_files([str(path) for path in paths]))
        async with two_streams() as (a, b):
            ends = await asyncio.gather(
                sender.use(a, self.tell_sender),
                self.receiver.use(b, self.told.append),
                return_exceptions=True,
            )
        self.folder.close()
        return ends[0], ends[1]

    @property
    def transferred(self) -> int:
        """Bytes that were not there already, as both sides say."""
        one, other = self.told[-1], self.told_sender[-1]
        assert isinstance(one, FilesDone)
        assert isinstance(other, FilesDone)
        assert one.transferred == other.transferred
        return one.transferred


@pytest.fixture
def to(tmp_path: Path) -> Path:
    (tmp_path / "to").mkdir()
    return tmp_path / "to"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "inside" / "deep").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "nothing").touch()
    (top / "inside" / "big").write_bytes(some_bytes(5_000_001))
    (top / "inside" / "deep" / "tool").write_bytes(b"#!/bin/sh\n")
    (top / "inside" / "deep" / "tool").chmod(0o4755)
    os.utime(top / "nothing", ns=(1, 1_234_567_890_123_456_789))
    return top


def contents(top: Path) -> dict[str, bytes | None]:
    """Return what is in a folder; None stands for a folder."""
    return {
        str(path.relative_to(top)): None if path.is_dir() else path.read_bytes()
        for path in top.rglob("*")
    }


async def test_tree_when_sent_arrives_whole(tree: Path, to: Path) -> None:
    (tree / "link").symlink_to("/etc/passwd")
    assert await Transfer(to).run(tree) == (None, None)

    (tree / "link").unlink()
    assert contents(to / "tree") == contents(tree)
    tool = to / "tree" / "inside" / "deep" / "tool"
    assert tool.stat().st_mode & 0o7777 == 0o755  # and never setuid
    assert (to / "tree" / "nothing").stat().st_mtime_ns == 1_234_567_890_123_456_789


async def test_tree_when_sent_again_sends_nothing(tree: Path, to: Path) -> None:
    assert await Transfer(to).run(tree) == (None, None)
    again = Transfer(to)
    assert await again.run(tree) == (None, None)
    assert again.transferred == 0


async def test_file_when_another_is_there_is_refused_and_nothing_is_written(
    tree: Path, to: Path
) -> None:
    (to / "tree").mkdir()
    (to / "tree" / "nothing").write_bytes(b"mine")
    before = contents(to)
    sender, receiver = await Transfer(to).run(tree)

    assert isinstance(sender, TransferError)
    assert "tree/nothing is there already" in sender.what
    assert isinstance(receiver, TransferError)
    assert "--overwrite" in receiver.hint
    assert contents(to) == before


async def test_file_when_another_of_its_size_is_there_is_not_replaced(
    tmp_path: Path, to: Path
) -> None:
    (tmp_path / "a").write_bytes(b"theirs")
    (to / "a").write_bytes(b"mine!!")
    sender, receiver = await Transfer(to).run(tmp_path / "a")
    assert "is different" in str(receiver)
    assert isinstance(sender, TransferError)
    assert contents(to) == {"a": b"mine!!"}

    assert await Transfer(to, overwrite=True).run(tmp_path / "a") == (None, None)
    assert contents(to) == {"a": b"theirs"}


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_link_that_points_out_is_never_followed(
    kind: str, tree: Path, to: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    if kind == "folder":
        (to / "tree").symlink_to(outside)
    else:
        (to / "tree").mkdir()
        (to / "tree" / "nothing").symlink_to(outside / "nothing")
    _, receiver = await Transfer(to, overwrite=True).run(tree)

    assert isinstance(receiver, TransferError)
    assert contents(outside) == {}


async def test_part_that_is_a_link_is_never_written(tmp_path: Path, to: Path) -> None:
    (tmp_path / "a").write_bytes(b"theirs")
    victim = tmp_path / "victim"
    victim.write_bytes(b"mi")
    (to / ".a.midair-part").symlink_to(victim)
    assert isinstance((await Transfer(to).run(tmp_path / "a"))[1], TransferError)
    (to / ".a.midair-part").unlink()
    (to / ".a.midair-part").hardlink_to(victim)
    assert isinstance((await Transfer(to).run(tmp_path / "a"))[1], TransferError)
    assert victim.read_bytes() == b"mi"


async def test_part_when_it_is_the_beginning_is_taken_up(tmp_path: Path, to: Path) -> None:
    whole = some_bytes(3_000_000)
    (tmp_path / "a").write_bytes(whole)
    (to / ".a.midair-part").write_bytes(whole[:1_234_567])
    transfer = Transfer(to)
    assert await transfer.run(tmp_path / "a") == (None, None)

    assert contents(to) == {"a": whole}
    assert transfer.transferred == len(whole) - 1_234_567
    assert FileStored("a", len(whole), 1_234_567) in transfer.told


@pytest.mark.parametrize("length", [1_000, 3_000_000, 4_000_000])
async def test_part_when_it_is_another_is_thrown_away(
    length: int, tmp_path: Path, to: Path
) -> None:
    whole = some_bytes(3_000_000)
    (tmp_path / "a").write_bytes(whole)
    (to / ".a.midair-part").write_bytes(b"\0" * length)
    transfer = Transfer(to)
    assert await transfer.run(tmp_path / "a") == (None, None)
    assert contents(to) == {"a": whole}
    assert transfer.transferred == len(whole)


async def test_files_when_declined_are_not_written_and_the_sender_hears_it(
    tree: Path, to: Path
) -> None:
    async def no() -> bool:
        return False

    sender, receiver = await Transfer(to, ask=no).run(tree)
    assert str(sender) == "your partner stopped: the files were declined"
    assert isinstance(receiver, TransferError)
    assert contents(to) == {}


async def test_sender_while_the_receiver_is_asked_says_so(tmp_path: Path, to: Path) -> None:
    (tmp_path / "a").touch()
    asked = asyncio.Event()

    async def yes_later() -> bool:
        await asked.wait()
        return True

    transfer = Transfer(to, ask=yes_later)

    def told(event: TraceEvent) -> None:
        transfer.told_sender.append(event)
        if isinstance(event, Asking):
            asked.set()

    transfer.tell_sender = told
    assert await transfer.run(tmp_path / "a") == (None, None)
    kinds = [type(event) for event in transfer.told_sender]
    assert kinds == [FilesOffered, Asking, FileStored, FilesDone]


async def test_disk_when_too_small_is_said_before_anything_is_written(
    tmp_path: Path, to: Path
) -> None:
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 2**43)
    sender, receiver = await Transfer(to).run(tmp_path / "huge")
    assert "are needed" in str(sender)
    assert "are needed" in str(receiver)
    assert contents(to) == {}


async def test_disk_when_it_takes_no_more_is_told_to_both_with_the_files_name(
    tmp_path: Path, to: Path
) -> None:
    (tmp_path / "a").write_bytes(some_bytes(100_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def yes_but() -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        return True

    try:
        sender, receiver = await Transfer(to, ask=yes_but).run(tmp_path / "a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert isinstance(receiver, TransferError)
    assert receiver.what == "a: File too large"
    assert str(sender) == "your partner stopped: a: File too large"


@pytest.mark.parametrize("change", ["longer", "shorter", "gone"])
async def test_source_when_it_changes_is_told_to_both(
    change: str, tmp_path: Path, to: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(some_bytes(100_000))

    async def yes_but() -> bool:
        if change == "gone":
            path.unlink()
        else:
            os.truncate(path, 200_000 if change == "longer" else 10)
        return True

    sender, receiver = await Transfer(to, ask=yes_but).run(path)
    assert isinstance(sender, TransferError)
    assert isinstance(receiver, TransferError)
    assert sender.what in str(receiver)
    assert contents(to) == {}


def test_list_when_something_cannot_be_sent_says_what(tmp_path: Path) -> None:
    (tmp_path / "a\nb").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x").touch()
    for path in ("a\nb", "pipe", "missing"):
        with pytest.raises(UsageError, match="cannot be sent"):
            list_files([str(tmp_path / path)])
    with pytest.raises(UsageError, match="cannot be sent"):
        list_files([""])  # an unset variable is not the current folder
    with pytest.raises(UsageError, match="twice"):
        list_files([str(tmp_path / "x"), str(tmp_path / "x")])


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

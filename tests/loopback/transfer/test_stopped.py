"""Files that are not sent after all: declined, changed, no room; and who is told what."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

import pytest

from peer.core.trace import Asking, FilesDone, FilesOffered, FileStored, TraceEvent
from peer.errors import TransferError, UsageError
from peer.io.transfer.source import list_files
from tests.loopback.streams import some_bytes
from tests.loopback.transfer.sides import Transfer, contents


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

"""Files over two streams on loopback: what arrives, what is kept, what is taken up again."""

from __future__ import annotations

from pathlib import Path

import pytest

from peer.core.trace import FileStored
from peer.errors import TransferError
from tests.loopback.streams import some_bytes
from tests.loopback.transfer.sides import Transfer, contents


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

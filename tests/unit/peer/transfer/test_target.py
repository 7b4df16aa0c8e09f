"""A file that is being received by two processes at once is the first one's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from peer.core.transfer.messages import Entry
from peer.io.transfer.folder import Folder, InTheWayError
from peer.io.transfer.target import Target


def test_second_receiver_of_a_file_when_refused_leaves_the_firsts_part(tmp_path: Path) -> None:
    entry = Entry("a", "file", 3)
    one, other = (Target(Folder(str(tmp_path), overwrite=False), entry) for _ in range(2))
    one.begin(0)
    with pytest.raises(InTheWayError, match="by another process"):
        other.begin(0)
    other.close()
    one.write(b"abc")
    one.finish(one.digest())
    assert (tmp_path / "a").read_bytes() == b"abc"


class Busy(Folder):
    """A folder where something happens to a part just when it was opened."""

    def __init__(self, path: Path, *happens: Callable[[], object]) -> None:
        """Prepare; what happens, one a time that a part is opened."""
        super().__init__(str(path), overwrite=False)
        self._happens = list(happens)

    def open_part(self, name: str, *, make: bool) -> int:
        """Open it; then it happens."""
        part = super().open_part(name, make=make)
        if self._happens:
            self._happens.pop(0)()
        return part


def test_part_when_it_goes_before_it_is_locked_is_made_again(tmp_path: Path) -> None:
    part = tmp_path / ".a.midair-part"
    target = Target(Busy(tmp_path, part.unlink), Entry("a", "file", 3))
    target.begin(0)
    target.write(b"abc")
    target.finish(target.digest())
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_part_when_it_becomes_the_file_before_it_is_locked_is_not_taken_up(tmp_path: Path) -> None:
    part = tmp_path / ".a.midair-part"
    part.write_bytes(b"ab")
    target = Target(Busy(tmp_path, lambda: part.rename(tmp_path / "a")), Entry("a", "file", 3))
    assert target.look() is None
    target.begin(0)
    target.write(b"abc")
    with pytest.raises(InTheWayError, match="is there already"):
        target.finish(target.digest())
    assert (tmp_path / "a").read_bytes() == b"ab"


def test_part_when_others_keep_taking_it_is_given_up(tmp_path: Path) -> None:
    unlink = (tmp_path / ".a.midair-part").unlink
    target = Target(Busy(tmp_path, *[unlink] * 100), Entry("a", "file", 3))
    with pytest.raises(InTheWayError, match="keeps taking the part of a"):
        target.begin(0)


def test_part_when_another_stands_in_its_place_never_gets_the_name(tmp_path: Path) -> None:
    target = Target(Folder(str(tmp_path), overwrite=True), Entry("a", "file", 3))
    target.begin(0)
    target.write(b"abc")
    part = tmp_path / ".a.midair-part"
    os.unlink(part)
    part.write_bytes(b"theirs")
    with pytest.raises(InTheWayError, match="the part of a was moved or removed"):
        target.finish(target.digest())
    assert [path.name for path in tmp_path.iterdir()] == [part.name]
    assert part.read_bytes() == b"theirs"

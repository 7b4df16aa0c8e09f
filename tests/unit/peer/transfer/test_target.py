"""A file that is being received by two processes at once is the first one's."""

from __future__ import annotations

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

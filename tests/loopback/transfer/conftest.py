"""Where files come from, and where they go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.loopback.streams import some_bytes


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

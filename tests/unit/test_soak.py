"""The counting of repeated tests: what sometimes fails is told with its number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import itertools
import pytest

calls = itertools.count(1)

@pytest.mark.parametrize("what", ["a", "b-c"])
def test_every_fourth_fails(what):
    assert next(calls) % 4

def test_good():
    pass

def test_ends_here():
    raise KeyboardInterrupt
"""


def soak(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.soak", "-p", "no:cacheprovider"]
    command += ["-q", "--rootdir", str(folder), "--soak", "3", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def table(said: str) -> list[list[str]]:
    rows = said.partition("passed  failed  test\n")[2].splitlines()
    return [row.split() for row in rows if "::" in row and row[0] == " "]


def test_soak_when_a_test_fails_sometimes_counts_it_and_is_no_success(tmp_path: Path) -> None:
    done = soak(tmp_path, "-k", "not ends_here")

    assert table(done.stdout) == [
        ["3", "0", "test_some.py::test_every_fourth_fails[a]"],
        ["2", "1", "test_some.py::test_every_fourth_fails[b-c]"],
        ["3", "0", "test_some.py::test_good"],
    ]
    assert done.returncode == pytest.ExitCode.TESTS_FAILED


def test_soak_when_interrupted_tells_what_was_counted_so_far(tmp_path: Path) -> None:
    done = soak(tmp_path, "-k", "good or ends_here")

    assert table(done.stdout) == [["3", "0", "test_some.py::test_good"]]
    assert done.returncode == pytest.ExitCode.INTERRUPTED

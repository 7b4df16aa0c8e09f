"""Commands in a user-mode guest: streams, exit code, environment, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

GUEST = (sys.executable, "-m", "lab.cli", "guest", "--force")
_PATIENCE_S = 60


def run(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GUEST, "--", *argv],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def processes_of(folder: Path) -> list[str]:
    """Find processes whose command line names the folder: guests that were booted with it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(folder) in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


@contextmanager
def sleeping_guest() -> Iterator[subprocess.Popen[bytes]]:
    """Boot a guest whose command has begun and does not end."""
    with subprocess.Popen(
        [*GUEST, "--", "bash", "-c", "echo begun; sleep 600"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        # Output comes in time: the command is still running.
        assert process.stdout.readline() == b"begun\n"
        yield process


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give each test a TMPDIR, in which every guest has its folder; no process of it remains."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    # Freeing a guest's memory takes its time where that is a file on a busy disk.
    deadline = time.monotonic() + 60
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(folder) == []


def test_guest_passes_streams_exit_code_environment_and_folder(tmp_path: Path) -> None:
    script = """
        echo "out $WORD"; pwd; echo err >&2
        test -t 1 && echo terminal
        uname -r; tc qdisc add dev lo root netem delay 1ms && echo delayed
        unshare --net iptables -t nat -A POSTROUTING -j MASQUERADE && echo translated
        echo written >"$0"
        exit 7
    """
    # What the host has in /tmp the guest has too, and the other way round.
    file = tmp_path / "file with a space"
    done = run("bash", "-c", script, str(file), WORD="two\nlines 'quoted'")
    lines = done.stdout.splitlines()
    assert done.returncode == 7
    assert lines[:3] == ["out two", "lines 'quoted'", str(Path.cwd())]
    assert lines[3] != os.uname().release
    assert lines[4:] == ["delayed", "translated"]
    assert done.stderr == "err\n"
    assert file.read_text() == "written\n"


def test_guest_passes_much_output_unchanged_and_in_order() -> None:
    # Every byte value, so that no terminal in between may translate anything.
    script = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 8192)"
    done = subprocess.run(
        [*GUEST, "--", sys.executable, "-c", script], capture_output=True, check=True
    )
    assert done.stdout == bytes(range(256)) * 8192


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_guest_when_interrupted_is_gone(temporary: Path, number: signal.Signals, code: int) -> None:
    with sleeping_guest() as process:
        assert processes_of(temporary)
        process.send_signal(number)
        assert process.wait(_PATIENCE_S) == code
    assert list(temporary.iterdir()) == []


def test_guest_when_killed_is_gone_and_its_folder_with_the_next(temporary: Path) -> None:
    with sleeping_guest() as process:
        process.kill()
    assert len(list(temporary.iterdir())) == 1
    assert run("true").returncode == 0
    assert list(temporary.iterdir()) == []


def test_guest_whose_output_nobody_reads_any_more_ends(temporary: Path) -> None:
    with subprocess.Popen([*GUEST, "--", "yes"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(_PATIENCE_S) == 128 + signal.SIGPIPE
    assert list(temporary.iterdir()) == []


def test_guest_command_has_a_terminal_where_the_caller_has_one() -> None:
    script = "test -t 1 && echo terminal; test -t 2 || echo none; stty size <&1; echo $TERM"
    ours, theirs = os.openpty()
    termios.tcsetwinsize(ours, (40, 132))
    with subprocess.Popen(
        [*GUEST, "--", "bash", "-c", script],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color"},
    ) as process:
        os.close(theirs)
        assert process.wait(_PATIENCE_S) == 0
    assert os.read(ours, 1024) == b"terminal\r\nnone\r\n40 132\r\nxterm-256color\r\n"
    os.close(ours)


def test_guest_that_cannot_boot_says_so_with_its_last_words(temporary: Path) -> None:
    done = subprocess.run(
        [*GUEST, "--memory", "8M", "--", "true"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "the guest did not boot; its last words:" in done.stderr
    assert list(temporary.iterdir()) == []


def test_guest_disk_is_a_file_that_keeps_what_one_guest_left_for_the_next(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(2**24))
    subprocess.run(["mkfs.ext4", "-q", "-F", str(disk)], check=True)
    mount = "mkdir /run/disk && mount /dev/ubda /run/disk && cd /run/disk"
    command = [*GUEST, "--disk", str(disk), "--", "bash", "-c"]
    subprocess.run(
        [*command, f"{mount} && echo kept >file && cd / && umount /run/disk"], check=True
    )
    done = subprocess.run(
        [*command, f"{mount} && cat file"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "kept\n"


def test_guest_command_that_does_not_exist_is_exit_127() -> None:
    done = run("no-such-command-here")
    assert done.returncode == 127
    assert "no-such-command-here" in done.stderr

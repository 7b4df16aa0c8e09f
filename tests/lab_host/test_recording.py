"""``midair-lab capture``: packets of a host that is not the lab's own, while a program runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from lab.packets import Udp
from lab.replay import read

PORT = 28_377
TALK = f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {PORT}))"


def capture(file: Path, *argv: str, interface: str = "lo") -> list[str]:
    words = ["capture", "--interface", interface, str(file), "--", *argv]
    return [sys.executable, "-m", "lab.cli", *words]


def test_capture_when_the_program_has_ended_holds_its_packets(tmp_path: Path) -> None:
    file = tmp_path / "lo.pcap"
    done = subprocess.run(capture(file, sys.executable, "-c", f"{TALK}; exit(7)"), check=False)
    assert done.returncode == 7
    packets = read(file.read_bytes(), "127.0.0.1")
    ours = [p for p in packets if isinstance(p.body, Udp) and p.body.destination[1] == PORT]
    # Loopback shows each packet twice: as it leaves and as it comes.
    assert len(ours) == 2


def test_capture_when_asked_to_end_passes_that_on_and_writes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lo.pcap"
    command = capture(file, "sh", "-c", "echo begun; exec sleep 60")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"begun\n"
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 128 + signal.SIGTERM
    assert file.exists()


def test_capture_of_no_such_interface_says_so(tmp_path: Path) -> None:
    file = tmp_path / "x.pcap"
    command = capture(file, "true", interface="no-such-one")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert (
        done.stderr == f"midair-lab: no-such-one cannot be captured into {file}: No such device\n"
    )


def test_capture_of_no_such_program_is_exit_127(tmp_path: Path) -> None:
    command = capture(tmp_path / "x.pcap", "no-such-program-here")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "no-such-program-here" in done.stderr

"""Real NTP servers for the tests: chronyd on loopback, one with a wrong clock on request."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from glob import glob
from pathlib import Path

READY_S = 10.0


def free_udp_port(host: str = "127.0.0.1") -> int:
    """Find a port that nobody listens on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def chronyd(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    wrong_by: str | None = None,
    synchronised: bool = True,
) -> Iterator[str]:
    """Run a server that answers from its own clock, and touches nobody else's.

    Args:
        folder: for its files, of its own.
        host: the address to listen on.
        wrong_by: an offset of its clock as faketime has it: ``+3.7s``.
        synchronised: whether it takes its own clock for right, or says that it knows no time.

    Yields:
        ``HOST:PORT``, once it answers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # chronyd checks who owns the folder of its files.
    folder.chmod(0o750)
    port = free_udp_port(host)
    config = folder / "chrony.conf"
    config.write_text(
        f"port {port}\nbindaddress {host}\nallow all\ncmdport 0\n"
        f"bindcmdaddress /\npidfile {folder}/chronyd.pid\n"
        + ("local stratum 3\n" if synchronised else "")
    )
    program = shutil.which("chronyd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert program, "chrony is not installed: make test does it"
    # AppArmor, where it is on, keeps /usr/sbin/chronyd to its own folders; a copy it lets be.
    copy = folder / "chronyd"
    shutil.copy(program, copy)
    # -x: never set the host's clock; -U: also as an ordinary user; -u: stay who we are.
    command = [str(copy), "-x", "-U", "-u", getpass.getuser(), "-d", "-f", str(config)]
    env = dict(os.environ) | (faked(wrong_by) if wrong_by else {})
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        _wait_until_it_answers(host, port, server, folder / "log")
        yield f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    finally:
        server.terminate()
        server.wait()


def faked(wrong_by: str) -> dict[str, str]:
    """Return the variables that make a program's wall clock wrong by so much: ``+3.7s``."""
    libraries = glob("/usr/lib/*/faketime/libfaketime.so.1")
    assert libraries, "faketime is not installed: make test does it"
    return {"LD_PRELOAD": libraries[0], "FAKETIME": wrong_by}


def _wait_until_it_answers(
    host: str, port: int, server: subprocess.Popen[bytes], log: Path
) -> None:
    request = bytes([0x23]) + bytes(39) + b"is it up"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.05)
        udp.connect((host, port))
        give_up = time.monotonic() + READY_S
        while time.monotonic() < give_up and server.poll() is None:
            with contextlib.suppress(OSError):
                udp.send(request)
                udp.recv(256)
                return
            time.sleep(0.01)
    raise AssertionError(f"chronyd does not answer:\n{log.read_text()}")

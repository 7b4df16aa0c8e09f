"""The ways through loopback that are compared: each a receiving program and a sending one."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.bench.load.programs import ProgramError
from lab.process import kill_all, start
from lab.scenario import installed_script

_HOST = "127.0.0.1"
_NO_NTP = f"{_HOST}:9"
_READY_WITHIN_S = 10.0
_LISTEN = "0A"
"""The state in /proc/net/tcp (proc(5))."""

Program = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Ends:
    """The two programs of one transfer."""

    receiver: Program
    """Its standard output is a pipe."""
    sender: Program
    """Its standard input is the source."""


Way = Callable[[Program], contextlib.AbstractContextManager[Ends]]
"""Takes the source, whose standard output is a pipe."""


@contextlib.contextmanager
def certificate() -> Iterator[Path]:
    """Make a key and a certificate for one run; yields the file that holds both."""
    with tempfile.TemporaryDirectory() as folder:
        key, cert, both = (Path(folder, name) for name in ("key.pem", "cert.pem", "both.pem"))
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={_HOST}",
                "-keyout",
                key,
                "-out",
                cert,
            ],
            check=True,
            capture_output=True,
        )
        both.write_bytes(key.read_bytes() + cert.read_bytes())
        yield both


def rivals(pem: Path) -> dict[str, Way]:
    """Return socat and ncat, in the clear and with TLS.

    Args:
        pem: key and certificate of the listening side; the other side trusts any.
    """
    return {
        "socat": _by_port(
            lambda port: ["socat", "-u", f"TCP-LISTEN:{port},bind={_HOST}", "STDOUT"],
            lambda port: ["socat", "-u", "STDIN", f"TCP:{_HOST}:{port}"],
        ),
        "socat OPENSSL": _by_port(
            lambda port: [
                "socat",
                "-u",
                f"OPENSSL-LISTEN:{port},bind={_HOST},cert={pem},verify=0",
                "STDOUT",
            ],
            lambda port: ["socat", "-u", "STDIN", f"OPENSSL:{_HOST}:{port},verify=0"],
        ),
        "ncat --ssl": _by_port(
            lambda port: [
                "ncat",
                "--ssl",
                "--ssl-cert",
                str(pem),
                "--ssl-key",
                str(pem),
                "--recv-only",
                "-l",
                _HOST,
                str(port),
            ],
            lambda port: ["ncat", "--ssl", "--send-only", _HOST, str(port)],
        ),
    }


def pipe(url: str) -> Way:
    """Return midair's pipe.

    Args:
        url: of the rendezvous.
    """
    midair = installed_script("midair")
    common = ["--json", "--rendezvous", url, "--ntp", _NO_NTP, "--relay", "never"]

    @contextlib.contextmanager
    def way(source: Program) -> Iterator[Ends]:
        # A processor each, as on two hosts: on one, each SYN is refused before the other is sent.
        listen = ["taskset", "-c", "0", midair, "listen", *common]
        receiver = start(listen, environment={}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with _ended([receiver]) as programs:
            connect = ["taskset", "-c", "1", midair, "connect", _code(receiver), *common]
            sender = start(
                connect,
                environment={},
                stdin=source.stdout,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            programs.append(sender)
            yield Ends(receiver, sender)

    return way


def _code(listener: Program) -> str:
    assert listener.stderr is not None
    for line in listener.stderr:
        event = json.loads(line)
        if "code" in event:
            return str(event["code"])
    raise ProgramError("midair listen ended without a code")


def _by_port(receive: Callable[[int], list[str]], send: Callable[[int], list[str]]) -> Way:
    @contextlib.contextmanager
    def way(source: Program) -> Iterator[Ends]:
        with socket.create_server((_HOST, 0)) as free:
            port = free.getsockname()[1]
        receiver = start(receive(port), environment={}, stdout=subprocess.PIPE)
        with _ended([receiver]) as programs:
            _wait_for(port)
            sender = start(
                send(port), environment={}, stdin=source.stdout, stdout=subprocess.DEVNULL
            )
            programs.append(sender)
            yield Ends(receiver, sender)

    return way


def _wait_for(port: int) -> None:
    """Wait for a listener; a connection to try it would be the one that it serves."""
    until_s = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until_s:
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                return
        time.sleep(0.005)
    raise ProgramError(f"nothing listens on port {port}")


@contextlib.contextmanager
def _ended(programs: list[Program]) -> Iterator[list[Program]]:
    try:
        yield programs
    finally:
        kill_all(programs)
        for program in programs:
            for end in (program.stdout, program.stderr):
                if end is not None:
                    end.close()

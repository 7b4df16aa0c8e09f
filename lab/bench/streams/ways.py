"""The pipes through loopback that are compared: socat's, ncat's and midair's."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.bench.streams.ends import (
    HOST,
    RECEIVER,
    SENDER,
    Ends,
    Way,
    ended,
    free_port,
    heard,
    midair,
    run,
    wait_for,
    zeros,
)

_OPENSSL = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"


@contextlib.contextmanager
def certificate() -> Iterator[Path]:
    """Make a key and a certificate for one run; yields the file that holds both."""
    with tempfile.TemporaryDirectory() as folder:
        key, cert, both = (Path(folder, name) for name in ("key.pem", "cert.pem", "both.pem"))
        names = ["-subj", f"/CN={HOST}", "-keyout", str(key), "-out", str(cert)]
        subprocess.run([*_OPENSSL.split(), *names], check=True, capture_output=True)
        both.write_bytes(key.read_bytes() + cert.read_bytes())
        yield both


def rivals(pem: Path) -> dict[str, Way]:
    """Return socat and ncat, in the clear and with TLS.

    Args:
        pem: key and certificate of the listening side; the other side trusts any.
    """
    tls = f"cert={pem},verify=0"
    ncat = f"ncat --ssl --ssl-cert {pem} --ssl-key {pem} --recv-only -l {HOST}"
    return {
        "socat": _by_port(
            lambda port: f"socat -u TCP-LISTEN:{port},bind={HOST} STDOUT",
            lambda port: f"socat -u STDIN TCP:{HOST}:{port}",
        ),
        "socat OPENSSL": _by_port(
            lambda port: f"socat -u OPENSSL-LISTEN:{port},bind={HOST},{tls} STDOUT",
            lambda port: f"socat -u STDIN OPENSSL:{HOST}:{port},verify=0",
        ),
        "ncat --ssl": _by_port(
            lambda port: f"{ncat} {port}",
            lambda port: f"ncat --ssl --send-only {HOST} {port}",
        ),
    }


def pipe(url: str, *options: str) -> Way:
    """Return midair's pipe.

    Args:
        url: of the rendezvous.
        options: of both sides.
    """

    @contextlib.contextmanager
    def way(octets: int) -> Iterator[Ends]:
        listen = midair("listen", url, *options)
        receiver = run(RECEIVER, listen, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with ended([receiver]) as programs:
            connect = midair("connect", url, *options, heard(receiver, "code"))
            source = run(None, zeros(octets), stdout=subprocess.PIPE)
            programs.append(source)
            programs.append(run(SENDER, connect, stdin=source.stdout))
            assert receiver.stdout is not None
            yield Ends(receiver.stdout.fileno(), (receiver, programs[-1]))

    return way


def _by_port(receive: Callable[[int], str], send: Callable[[int], str]) -> Way:
    @contextlib.contextmanager
    def way(octets: int) -> Iterator[Ends]:
        port = free_port()
        receiver = run(RECEIVER, receive(port).split(), stdout=subprocess.PIPE)
        with ended([receiver]) as programs:
            wait_for(port)
            source = run(None, zeros(octets), stdout=subprocess.PIPE)
            programs.append(source)
            programs.append(run(SENDER, send(port).split(), stdin=source.stdout))
            assert receiver.stdout is not None
            yield Ends(receiver.stdout.fileno(), (receiver, programs[-1]))

    return way

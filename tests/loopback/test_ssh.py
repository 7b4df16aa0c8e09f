"""A real ssh through midair as its ProxyCommand, to a real ssh server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback.ports import free_ports
from tests.loopback.programs import BIN, NO_NTP, PATIENCE_S, PROCESSORS, Peer, rendezvous

ALONE = "{ mount --make-rprivate / 2>&- || ! grep -q ' shared:' /proc/self/mountinfo; }"
"""No other namespace sees what is mounted. In a chroot "/" is no mount, and is not made private."""
# Not in CI, which is root: there a skipped test is a failed one (tests/conftest.py).
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the ssh server needs root")


def program(name: str) -> str:
    """Find a program, also where only root looks."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert path, f"{name} is not installed: make test does it"
    return path


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An ssh server of our own; yields its place, and a key that it lets in as root."""
    folder = tmp_path_factory.mktemp("ssh")
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    key, host_key = folder / "key", folder / "host"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    made = [program("dropbearkey"), "-t", "ed25519", "-f", str(host_key)]
    subprocess.run(made, check=True, capture_output=True)
    shutil.copy(f"{key}.pub", home / ".ssh" / "authorized_keys")
    for path in (folder, home):
        path.chmod(0o700)
    # The server looks up a user's keys at home: for it alone, home is another one.
    (folder / "passwd").write_text(f"root:x:0:0:root:{home}:/bin/sh\n")
    place = f"127.0.0.1:{free_ports()}"
    words = [program("dropbear"), "-F", "-E", "-s", "-r", str(host_key), "-p", place]
    line = f'{ALONE} && mount --bind {folder}/passwd /etc/passwd && exec "$@"'
    unshare = ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", line, "sh"]
    process = subprocess.Popen(
        [*unshare, *words, "-P", str(folder / "pid")],
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(place)
        yield place, key
    finally:
        process.terminate()
        process.wait()


def _await(place: str) -> None:
    host, _, port = place.rpartition(":")
    for _ in range(200):
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"no ssh server at {place}")


def ssh(
    key: Path, url: str, code: str, command: str, said: bytes
) -> subprocess.CompletedProcess[bytes]:
    """Run a command over ssh, as the README says, and say something to it."""
    proxy = f"{BIN / 'midair'} connect --rendezvous {url} --ntp {NO_NTP}"
    options = [f"ProxyCommand={proxy}", "StrictHostKeyChecking=no", "IdentitiesOnly=yes"]
    options += [f"UserKnownHostsFile={key.parent / 'known'}", "LogLevel=ERROR"]
    return subprocess.run(
        # Two hosts share no processor: see Peer.
        ["taskset", "-c", str(PROCESSORS[-1]), "ssh", "-F", "none", "-i", str(key)]
        + [word for option in options for word in ("-o", option)]
        + ["root@midair", command],
        input=said,
        capture_output=True,
        timeout=PATIENCE_S,
        env=os.environ | {"MIDAIR_CODE": code, "MIDAIR_RELAY": "never"},
    )


def test_ssh_through_a_forward_says_what_it_says_and_both_sides_end_in_order(
    url: str, server: tuple[str, Path]
) -> None:
    place, key = server
    said = os.urandom(3_000_000)
    with Peer("listen", "--json", "--forward", place, url=url) as one:
        done = ssh(key, url, one.wait_for("code")["code"], "cat; exit 7", said)
        assert (done.returncode, done.stdout == said) == (7, True), done.stderr
        assert one.finish() == (0, b"")
        assert one.events[-1]["reason"] == "done"


def test_ssh_through_a_plain_pipe_that_a_listener_leads_to_a_server(
    url: str, server: tuple[str, Path]
) -> None:
    place, key = server
    host, _, port = place.rpartition(":")
    words = ["taskset", "-c", str(PROCESSORS[0]), str(BIN / "midair"), "listen", "--json"]
    words += ["--rendezvous", url, "--ntp", NO_NTP]
    with (
        socket.create_connection((host, int(port))) as near,
        subprocess.Popen(
            words,
            # As `socat EXEC:'midair listen' TCP:localhost:22` would.
            stdin=near.fileno(),
            stdout=near.fileno(),
            stderr=subprocess.PIPE,
        ) as one,
    ):
        assert one.stderr is not None
        code = json.loads(one.stderr.readline())["code"]
        done = ssh(key, url, code, "cat; exit 7", b"hello")
        assert (done.returncode, done.stdout) == (7, b"hello"), done.stderr
        near.shutdown(socket.SHUT_RDWR)
        assert one.wait(PATIENCE_S) == 0

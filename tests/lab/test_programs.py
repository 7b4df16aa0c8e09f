"""Programs in a lab: time servers, wrong clocks, warm peers."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator

import pytest

from lab.ntp import TimeServers
from lab.process import clock_error
from lab.warm import WarmError, WarmPeer
from lab.world import World

PROGRAM = "tests.lab.warm_program:main"
_NTP_TO_POSIX_S = 2_208_988_800
"""RFC 5905 section 6: from 1900 to 1970."""


def server_minus_local_s(world: World, address: str) -> float:
    """Ask a time server, without caring for the path's delay."""
    client = world.space("peer-a").call(lambda: socket.socket(type=socket.SOCK_DGRAM))
    with client:
        client.settimeout(5)
        client.sendto(bytes([0x23]) + bytes(47), (address, 123))
        data = client.recv(512)
        seconds, fraction = struct.unpack_from("!II", data, 40)
        return float(seconds - _NTP_TO_POSIX_S + fraction / 2**32 - time.time())


def test_time_servers_tell_the_time_but_for_the_falseticker(world: World) -> None:
    servers = TimeServers(world, [0.0, 0.0, 0.0, -3600.0])
    servers.start()
    errors = [server_minus_local_s(world, address) for address in servers.addresses]
    assert len(errors) == 4
    assert all(abs(error) < 60 for error in errors[:3])
    assert abs(errors[3] + 3600) < 60


def test_program_with_a_clock_error_sees_a_wrong_clock(world: World) -> None:
    before = time.time()
    program = world.popen(
        "peer-b", ["date", "+%s"], environment=clock_error(-7200), stdout=subprocess.PIPE
    )
    wrong = int(program.communicate()[0])
    assert before - 7201 <= wrong <= time.time() - 7199


@pytest.fixture(scope="module")
def peer(module_world: World) -> Iterator[WarmPeer]:
    with WarmPeer(
        module_world, "peer-a", program=PROGRAM, environment=clock_error(3600), preload=["json"]
    ) as warm:
        yield warm


def run(peer: WarmPeer, *argv: str, said: bytes = b"", skew_ms: str = "1") -> tuple[int, str, str]:
    """Run the program; return its exit code, standard output and standard error."""
    (stdin, stdin_w), (stdout_r, stdout), (stderr_r, stderr) = (os.pipe() for _ in range(3))
    os.write(stdin_w, said)
    os.close(stdin_w)
    started = peer.run(
        argv,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        environment={"MIDAIR_TEST_SKEW_MS": skew_ms},
    )
    for end in (stdin, stdout, stderr):
        os.close(end)
    with os.fdopen(stdout_r) as out, os.fdopen(stderr_r) as err:
        return started.wait(), out.read(), err.read()


@pytest.mark.parametrize(("how", "code"), [("return", 0), ("5", 5), ("exit", 7), ("raise", 1)])
def test_warm_program_has_its_own_streams_arguments_and_exit_code(
    peer: WarmPeer, how: str, code: int
) -> None:
    returned, out, err = run(peer, how, "x y", said=b"I love you.", skew_ms="2.5")
    assert returned == code
    assert out.splitlines()[0] == f"argv ['{how}', 'x y'] skew 2.5"
    assert out.splitlines()[2] == "stdin I love you."
    assert err.splitlines()[0] == "to stderr"
    assert ("RuntimeError: on purpose" in err) == (how == "raise")


def test_warm_program_lives_with_the_clock_error_of_its_server(peer: WarmPeer) -> None:
    _, out, _ = run(peer, "return")
    clock = int(out.splitlines()[1].split()[1])
    assert abs(clock - time.time() - 3600) < 60


def test_warm_program_when_killed_is_exit_137_and_the_server_goes_on(peer: WarmPeer) -> None:
    started = peer.run(["sleep"])
    assert started.poll() is None
    with pytest.raises(TimeoutError):
        started.wait(0.1)
    started.kill()
    assert started.wait(10) == 137
    assert started.poll() == 137
    assert run(peer, "exit")[0] == 7


def test_warm_programs_run_side_by_side(peer: WarmPeer) -> None:
    first, second = peer.run(["sleep"]), peer.run(["5"])
    assert second.wait(10) == 5
    first.kill()
    assert first.wait(10) == 137


def test_warm_program_that_cannot_be_imported_says_why(world: World) -> None:
    with (
        WarmPeer(world, "peer-a", program="no_such_module:main") as peer,
        pytest.raises(WarmError, match="no_such_module"),
    ):
        peer.wait_ready()

"""``midair doctor`` on this host: a real rendezvous, a real NTP server, this very kernel."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from peer.io.doctor.kernel import refused_to_meet_itself
from tests.loopback.chrony import chronyd
from tests.loopback.ports import free_ports
from tests.loopback.programs import BIN, NO_NTP, PATIENCE_S, rendezvous


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


@pytest.fixture(scope="module")
def ntp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chronyd(tmp_path_factory.mktemp("chrony")) as server:
        yield server


def doctor(*words: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MIDAIR_")}
    return subprocess.run(
        [BIN / "midair", "doctor", *words],
        capture_output=True,
        text=True,
        env=clean,
        timeout=PATIENCE_S,
        check=False,
    )


def report(*words: str) -> tuple[int, dict[str, Any]]:
    """Run it for a program; returns exit code and report."""
    run = doctor("--json", *words)
    assert run.stderr == ""
    found = json.loads(run.stdout)
    assert found["exit"] == run.returncode
    return run.returncode, found


def test_report_when_all_is_there_is_whole_and_exits_0(url: str, ntp: str) -> None:
    code, found = report("--rendezvous", url, "--ntp", ntp)

    assert code == 0
    assert list(found) == ["clock", "kernel", "rendezvous", "nat", "ipv6", "partners", "exit"]
    assert found["clock"]["ntp"]["servers"] == [ntp]
    assert found["clock"]["rendezvous"]["rtt_us"] == found["rendezvous"]["rtt_us"]
    assert found["kernel"]["simultaneous_open"]
    assert (found["nat"]["translated"], found["nat"]["mapping"]) == (False, "endpoint_independent")
    assert found["nat"]["hairpin"] is None
    assert found["partners"][1]["meet"] is None  # a reflector on loopback sees no NAT


def test_words_when_people_read_them_fit_80_columns(url: str, ntp: str) -> None:
    run = doctor("--rendezvous", url, "--ntp", ntp)

    assert (run.returncode, run.stderr) == (0, "")
    assert max(map(len, run.stdout.splitlines())) <= 80
    for word in ("clock", "kernel", "rendezvous", "NAT", "IPv6", "Nothing is amiss."):
        assert f"\n{word}" in f"\n{run.stdout}"


def test_clock_when_nobody_says_the_time_is_exit_4(url: str) -> None:
    assert report("--ntp", NO_NTP)[0] == 4

    code, found = report("--ntp", NO_NTP, "--rendezvous", url)
    assert (code, found["clock"]["status"]) == (0, "warning")
    assert [row["meet"] for row in found["partners"]] == [False] * 4
    assert found["partners"][1]["rendezvous"] is None


def test_rendezvous_when_it_is_gone_is_exit_3_and_the_rest_is_told(ntp: str) -> None:
    code, found = report("--rendezvous", f"http://127.0.0.1:{free_ports(1)}", "--ntp", ntp)

    assert code == 3
    assert found["clock"]["status"] == found["kernel"]["status"] == "ok"
    assert found["rendezvous"]["status"] == "broken"
    assert found["nat"]["status"] == "unknown"


def test_rendezvous_when_it_is_no_url_is_exit_2_in_words() -> None:
    run = doctor("--rendezvous", "nonsense", "--ntp", NO_NTP)

    assert (run.returncode, run.stdout) == (2, "")
    assert "is not the URL of a rendezvous" in run.stderr


def test_reflectors_when_named_are_asked_without_a_rendezvous(ntp: str) -> None:
    first = free_ports(2)
    words = [f"127.0.0.1:{first}", f"127.0.0.1:{first + 1}"]
    server = [str(BIN / "midair-rendezvous"), "--json", "--host", "127.0.0.1", "--port", "0"]
    for word in words:
        server += ["--reflector", word]
    with subprocess.Popen(server, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert json.loads(running.stderr.readline())["event"] == "ready"
        try:
            asked = [word for name in words for word in ("--reflector", name)]
            code, found = report("--ntp", ntp, *asked)
        finally:
            running.terminate()
            running.communicate(timeout=PATIENCE_S)

    assert (code, found["rendezvous"]["status"]) == (0, "unknown")
    assert found["nat"]["mapping"] == "endpoint_independent"


def test_reflectors_when_none_answers_are_exit_3(ntp: str) -> None:
    code, found = report("--ntp", ntp, "--reflector", f"127.0.0.1:{free_ports(1)}")

    assert (code, found["nat"]["status"]) == (3, "broken")
    assert "no reflector answers" in found["nat"]["lines"][0]


@pytest.mark.parametrize("name", ["host", "host:0", "host:x", ":3478"])
def test_reflector_when_it_is_none_is_exit_2(name: str) -> None:
    run = doctor("--reflector", name)

    assert run.returncode == 2
    assert "--reflector" in run.stderr


def test_local_port_when_it_is_in_use_is_exit_2_and_named(ntp: str) -> None:
    first = free_ports()
    with socket.create_server(("127.0.0.1", first + 2)):
        code, found = report("--ntp", ntp, "--local-port", str(first))

    assert code == 2
    assert found["kernel"]["busy_ports"] == [first + 2]


def test_socket_when_it_meets_itself_proves_simultaneous_open() -> None:
    assert refused_to_meet_itself() is None

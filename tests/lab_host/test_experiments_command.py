"""``midair-lab experiment`` as a program: what it prints, writes and leaves, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.experiments import MODULES
from lab.experiments.room import HELP
from lab.packets import Tcp, parse, read_pcap

PATIENCE_S = 60
NAMES = [
    "simultaneous-open",
    "self-connect",
    "one-socket",
    "one-port-many-peers",
    "dissolve",
    "never-accepted",
    "spoiled",
]
_RESTRICTED = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
NOBODY = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
"""As a user who is not root and has no capabilities, but may read what root may."""
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]


def command(*words: str, before: str = "") -> list[str]:
    """Return ``midair-lab experiment`` with these words, after some Python."""
    return [
        sys.executable,
        "-c",
        f"{before}\nfrom lab.cli import main; main()",
        "experiment",
        *words,
    ]


def run(
    *words: str, before: str = "", under: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(under or []), *command(*words, before=before)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_list_when_asked_for_names_the_seven() -> None:
    done = run("list")

    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == NAMES == list(MODULES)
    assert list(json.loads(run("list", "--json").stdout)) == NAMES


def test_name_when_it_is_none_exits_2_and_names_them() -> None:
    done = run("levitate")

    assert done.returncode == 2
    assert all(name in done.stderr for name in ("'levitate'", *NAMES))


def test_words_when_a_claim_holds_show_all_there_is_to_show() -> None:
    done = run("one-socket")

    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "A socket that binds a port and connects to that very port",  # the claim
        "bind(127.0.0.1:1314), connect(127.0.0.1:1314): 0",  # what was done
        "SYN·ACK seq=0 ack=1",  # the exchange
        "127.0.0.1:1314  127.0.0.1:1314  ESTABLISHED  this program",  # the states
        "What it means",
        "The claim holds: 5 of 5.",
    ):
        assert words in done.stdout


def test_files_when_asked_for_hold_the_packets(tmp_path: Path) -> None:
    svg, pcap = tmp_path / "picture.svg", tmp_path / "packets.pcap"

    done = run("one-socket", "--json", "--svg", str(svg), "--pcap", str(pcap))

    values = json.loads(done.stdout)
    assert (done.returncode, values["experiment"], values["holds"]) == (0, "one-socket", True)
    packets = [parse(raw, t_ns=t_ns, direction="out") for t_ns, raw in read_pcap(pcap.read_bytes())]
    written = [p.body.flag_words for p in packets if p and isinstance(p.body, Tcp)]
    (scene,) = values["scenes"]
    assert written == [p["flags"].replace("·", ",") for p in scene["packets"]]
    assert [s["state"] for s in scene["states"]][:3] == ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]
    texts = [element.text for element in ET.parse(svg).iter() if element.text]
    assert "PSH·ACK seq=1 ack=1 “I love you.”" in texts


def test_program_when_it_ends_has_closed_every_socket() -> None:
    strict = [sys.executable, "-X", "dev", *command("one-socket")[1:]]
    done = subprocess.run(strict, capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    assert (done.returncode, done.stderr) == (0, "")


def test_file_when_it_cannot_be_written_exits_2_with_a_sentence() -> None:
    done = run("one-socket", "--svg", "/proc/picture.svg")

    assert done.returncode == 2
    assert "/proc/picture.svg cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


FALSE = {
    "self-connect": "from lab.experiments import self_connect as it; it.OUTSIDE = it.INSIDE",
    "simultaneous-open": "from lab.experiments import simultaneous_open as it; it.FIGURE_7 = []",
    "one-socket": "from lab.experiments import one_socket as it; it.hear = lambda s, n: b'No.'",
}
"""A claim made false, beforehand."""


@pytest.mark.parametrize("name", FALSE)
def test_claim_when_it_does_not_hold_exits_1_and_says_which(name: str) -> None:
    done = run(name, before=FALSE[name])

    assert done.returncode == 1
    assert "✗" in done.stdout
    assert "The claim does not hold" in done.stdout


def test_ordinary_user_when_the_kernel_allows_needs_no_root() -> None:
    done = run("one-socket", under=NOBODY)

    if _RESTRICTED.exists() and _RESTRICTED.read_text().strip() == "1":
        assert (done.returncode, done.stderr) == (2, f"midair-lab: {HELP}\n")
    else:
        assert done.returncode == 0, done.stderr
        assert "The claim holds" in done.stdout


def test_rights_when_missing_exit_2_and_say_which() -> None:
    done = run("one-socket", under=POWERLESS)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"midair-lab: {HELP}\n"


def processes() -> Iterator[Path]:
    """Yield the folders of all that run."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            yield folder


def descendants(pid: int) -> set[int]:
    """List the processes that a process started, and those that they did."""
    parents = {}
    for folder in processes():
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        state, parent = stat.rpartition(")")[2].split()[:2]
        if state != "Z":
            parents[int(folder.name)] = int(parent)
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def namespaces(pid: int) -> set[str]:
    """Return the network namespaces of a process's threads."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found.add(str((task / "ns/net").readlink()))
        except OSError:
            continue
    return found


def inhabited() -> set[str]:
    """Return every network namespace that has somebody in it."""
    found: set[str] = set()
    for folder in processes():
        try:
            found |= namespaces(int(folder.name))
        except OSError:
            continue
    return found


def await_that(true: Callable[[], bool]) -> None:
    """Wait until something is true; fail where it never is."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 100):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("it never came true")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_experiment_when_interrupted_leaves_no_process_and_no_namespace(
    number: signal.Signals, code: int
) -> None:
    """In the scene where the rendezvous and both peers run in rooms."""
    silent = subprocess.DEVNULL
    with subprocess.Popen(command("spoiled"), stdout=silent, stderr=silent) as program:
        await_that(lambda: program.poll() is not None or len(descendants(program.pid)) >= 3)
        started = descendants(program.pid)
        rooms = namespaces(program.pid) - namespaces(os.getpid())
        assert len(rooms) == 5  # two peers, the rendezvous, the third host, the relay
        program.send_signal(number)
        assert program.wait(PATIENCE_S) == code
    # Who is killed cannot wait for its children's end; the kernel kills them then.
    await_that(lambda: not started & {int(folder.name) for folder in processes()})
    await_that(lambda: not rooms & inhabited())

"""Labs come up, change, and leave nothing behind however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab import namespace
from lab.probes import round_trips_ms
from lab.topology import ROLES, AccessSpec, LinkSpec, WorldSpec
from lab.world import World, sweep

SLEEPER = ("sleep", "600")


def left_of(tag: str) -> list[str]:
    """List namespaces and folders that a lab left."""
    folders = [path.name for path in Path(tempfile.gettempdir()).glob(f"midair-{tag}-*")]
    return [name for name in namespace.names() if f"-{tag}-" in name] + folders


def is_running(pid: int) -> bool:
    """Tell whether a process is there and is no zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_world_when_left_is_gone_with_its_programs() -> None:
    with World(WorldSpec()) as world:
        assert {name.rsplit("-", 1)[0] for name in left_of(world.tag)} >= {f"midair-{world.tag}"}
        assert set(namespace.names()) >= {world.ns(role) for role in ROLES}
        program = world.popen("peer-a", SLEEPER)
        # Nobody told the world of this one.
        stray = world.space("peer-b").call(lambda: subprocess.Popen(SLEEPER))
    assert program.poll() == -signal.SIGKILL
    assert stray.wait() == -signal.SIGKILL
    assert left_of(world.tag) == []


def test_world_when_its_block_raises_is_gone() -> None:
    with pytest.raises(ZeroDivisionError), World(WorldSpec()) as world:
        raise ZeroDivisionError
    assert left_of(world.tag) == []


def test_world_that_cannot_be_built_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(WorldSpec())
    # The last router's script does not find iptables.
    monkeypatch.setattr("lab.router.SCRIPT", Path("/no/such/script"))
    with pytest.raises(Exception, match="no/such/script"):
        world.__enter__()
    assert left_of(world.tag) == []


INTERRUPTED = """
import sys, time
from lab.interrupt import Interrupted, signals_raise
from lab.topology import WorldSpec
from lab.world import World
try:
    with signals_raise(), World(WorldSpec()) as world:
        program = world.popen("peer-a", ["sleep", "600"])
        print(world.tag, program.pid, flush=True)
        time.sleep(600)
except Interrupted as interrupted:
    sys.exit(interrupted.exit_code)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_world_when_interrupted_is_gone(number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        tag, pid = process.stdout.readline().split()
        process.send_signal(number)
        assert process.wait() == code
    if number == signal.SIGKILL:
        # Its namespaces' names are files: the next lab removes them.
        assert len(sweep()) == len(ROLES)
        if os.environ.get("MIDAIR_GUEST") == "1":
            os.kill(int(pid), signal.SIGKILL)  # in a guest programs end with the guest
    assert left_of(tag) == []
    assert number == signal.SIGKILL or not is_running(int(pid))


def test_links_of_a_living_world_change(world: World) -> None:
    with_delay = min(round_trips_ms(world, "a", 3))
    world.set_access("a", AccessSpec(up=LinkSpec(delay_ms=70)))
    with_more = min(round_trips_ms(world, "a", 3))
    world.set_access("a", AccessSpec())
    without = min(round_trips_ms(world, "a", 3))
    # 20 ms, then 70 ms, then none; each netem is exact to a fraction of a millisecond.
    assert without < with_delay < with_more
    assert with_more - without >= 70
    assert 20 <= with_delay <= 45

"""docker-compose.yml, brought up for tests: what it printed, and what its containers left."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.packets import Packet
from lab.replay import Replay, read, replay

ROOT = Path(__file__).resolve().parents[2]
FIRST_UP = ["up", "--build", "--exit-code-from", "peer-b", "--abort-on-container-exit"]
"""What the README tells people to type."""
UP = [word for word in FIRST_UP if word != "--build"]
PATIENCE_S = 300
"""Nothing here takes that long; a run that hangs is to fail, not to stop all tests."""
_PREFIX = re.compile(r"^(\S+)-1 +\| ?(.*)$")
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""compose 2.26 wipes lines of a menu that only a terminal has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Went:
    """One `docker compose up`."""

    exit_code: int
    output: str
    codes: dict[str, int]
    """Exit code of each container that was made, by service."""

    def said(self, service: str) -> str:
        """Return what one service printed, without compose's prefix."""
        found = [match for line in self.output.splitlines() if (match := _PREFIX.match(line))]
        return "".join(f"{match[2]}\n" for match in found if match[1] == service)


class Project:
    """The compose project; its containers are made anew where the environment differs.

    Args:
        name: keeps it apart from what a developer has running.
        files: compose files, the first of them names the folder.
    """

    def __init__(self, name: str, files: Sequence[Path] = (ROOT / "docker-compose.yml",)) -> None:
        self._command = ["docker", "compose", "--project-name", name]
        self._command += [word for file in files for word in ("--file", str(file))]

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `docker compose WORDS`; standard error goes where standard output goes."""
        return subprocess.run(
            [*self._command, *words],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def up(self, *words: str, **environment: str) -> Went:
        """Run `docker compose up` until it ends by itself, and read every exit code."""
        done = self.run(*(words or UP), **environment)
        output = _CONTROL.sub("", done.stdout)
        return Went(exit_code=done.returncode, output=output, codes=self._codes())

    def _codes(self) -> dict[str, int]:
        containers = self.run("ps", "--all", "--quiet").stdout.split()
        form = '{{index .Config.Labels "com.docker.compose.service"}} {{.State.ExitCode}}'
        inspect = subprocess.run(
            ["docker", "inspect", "--format", form, *containers],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = (line.split() for line in inspect.stdout.splitlines())
        return {service: int(code) for service, code in lines}

    def captures(self, folder: Path) -> tuple[list[Packet], list[Packet]]:
        """Fetch what both peers have captured, and read it."""
        packets = []
        for side, own in (("a", "10.1.0.2"), ("b", "10.2.0.2")):
            file = folder / f"{side}.pcap"
            done = self.run("cp", f"peer-{side}:/captures/{side}.pcap", str(file))
            assert done.returncode == 0, done.stdout
            packets.append(read(file.read_bytes(), own))
        return packets[0], packets[1]

    def down(self) -> None:
        """Remove containers, networks and captures."""
        self.run("down", "--volumes", "--remove-orphans", "--timeout", "1")


def connection(packets: tuple[list[Packet], list[Packet]]) -> Replay:
    """Return the connection that two captures show."""
    return replay(*packets, quotes=["I love you, too.", "I love you."])

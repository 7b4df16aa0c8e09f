"""Run sections where they belong, in processes of their own, and take down what those say.

A section that fails takes only itself along: the others get a new process. Whatever was measured is
handed on after each section, so that a run that is cut short loses one section at most.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.status import Status

from lab.bench.figures import Figure
from lab.bench.report import Measured, Report, cells
from lab.guest import this_command


@dataclass(slots=True)
class Runner:
    """What sections are measured into.

    Args:
        report: gets everything.
        commit: that is measured.
        save: called after each section.
    """

    report: Report
    commit: str
    save: Callable[[], None]
    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    _begun_s: float = 0.0
    _now: list[Measured] = field(default_factory=list)
    """The section that is being measured; empty between two."""

    def run(self, names: Sequence[str], *, in_guest: bool) -> None:
        """Measure sections, one after another.

        Args:
            names: of the sections.
            in_guest: in a guest where this kernel has no netem; otherwise on this host.

        Raises:
            KeyboardInterrupt: of the user; everything that was started has ended.
        """
        left = list(names)
        while left:
            code = self._run_process(left, in_guest=in_guest)
            if not code:
                return
            finished = self.report.finished
            # The first that is not finished broke, or nothing could even begin.
            left = [name for name in left if name not in finished]
            broken = [one.section for one in self._now] or left or ["after the last section"]
            self.report.broken.append(f"{', '.join(broken)}: exit {code}")
            left = [name for name in left if name not in broken]
            self._now.clear()
            self.save()

    def _run_process(self, names: Sequence[str], *, in_guest: bool) -> int:
        command = [sys.executable, "-m", "lab.bench", "--inside", *names]
        if in_guest:
            command = this_command(["guest", "--", *command])
        with (
            self.console.status("building the lab …") as status,
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        ):
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    self._take(line, status)
            except KeyboardInterrupt:
                # It got the signal too, and cleans up.
                process.wait()
                raise
        return process.returncode

    def _take(self, line: str, status: Status) -> None:
        ((kind, fields),) = json.loads(line).items()
        match kind:
            case "machine":
                self.report.add_machine(fields)
            case "begin":
                self._begin(fields["section"])
            case "end":
                self._end()
            case "progress":
                self.report.sessions.append(fields)
                self._note_load()
                what = f"{fields['section']}: {fields['what']}"
                status.update(f"{what}, {fields['run']} of {fields['runs']}")
            case "figure":
                self._show(fields)

    def _begin(self, section: str) -> None:
        self._begun_s = time.monotonic()
        load = os.getloadavg()[0]
        now = datetime.datetime.now(tz=datetime.UTC)
        begun = Measured(
            section=section,
            date=now.isoformat(timespec="minutes"),
            commit=self.commit,
            load_before=load,
            load_most=load,
        )
        self._now = [begun]
        self.report.measured.append(begun)

    def _note_load(self) -> None:
        for one in self._now:
            one.load_most = max(one.load_most, os.getloadavg()[0])

    def _end(self) -> None:
        self._note_load()
        for one in self._now:
            one.seconds = round(time.monotonic() - self._begun_s, 1)
        self._now.clear()
        self.save()

    def _show(self, fields: dict[str, Any]) -> None:
        figure = Figure(**fields)
        self.report.figures.append(figure)
        numbers = "  ".join(cell for cell in cells(figure)[1:] if cell)
        mark = "✓" if figure.holds else "✗"
        self.console.print(
            f"{mark} {figure.section}: {figure.what}  {numbers}  ({figure.wanted})",
            soft_wrap=True,
        )

"""A wall clock that steps between appointment and instant, as ``date -s`` makes it. Guest only."""

from __future__ import annotations

import time
from typing import Self

from lab.scenario import Scenario, SessionRun
from lab.system import in_guest

STEP_S = 3600.0
LEAD_MS = 1000
"""Between appointment and instant, asked for by both peers: enough to step the clock in."""


class NotInGuestError(Exception):
    """The clock of a machine that is used for other things is not stepped."""


class SteppedClock:
    """Context manager: puts the kernel's clock back at its end, if :meth:`step` was called.

    Raises:
        NotInGuestError: this is no guest.
    """

    def __init__(self) -> None:
        if not in_guest():
            raise NotInGuestError("a clock is stepped in the guest only")
        self._right_ns: int | None = None
        self._stepped_ns: int | None = None

    def step(self) -> None:
        """Set the clock wrong by :data:`STEP_S`."""
        self._right_ns = time.time_ns() - time.monotonic_ns()
        time.clock_settime(time.CLOCK_REALTIME, time.time() + STEP_S)
        self._stepped_ns = time.time_ns()

    @property
    def stepped_at_ns(self) -> int | None:
        """When :meth:`step` was called, by the clock as it was after that; None: it was not."""
        return self._stepped_ns

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._right_ns is not None:
            time.clock_settime_ns(time.CLOCK_REALTIME, self._right_ns + time.monotonic_ns())


def stepped_session(scenario: Scenario) -> tuple[SessionRun, int]:
    """Run one session while which the kernel's clock steps by an hour.

    Returns:
        The session, and when the clock was stepped, in the time that captures have after it.

    Raises:
        NotInGuestError: this is no guest.
        RuntimeError: no appointment was made.
    """
    lead = {"MIDAIR_TEST_LEAD_MS": str(LEAD_MS)}
    with SteppedClock() as clock:
        run = scenario.run(environment={"a": lead, "b": lead}, on_appointment=clock.step)
        at_ns = clock.stepped_at_ns
    if at_ns is None:
        raise RuntimeError("no appointment was made, so the clock was not stepped")
    return run, at_ns

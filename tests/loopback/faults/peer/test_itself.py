"""A socket whose destination is its own port meets itself: dropped, and never taken for a partner.

Targets of an appointment that are this peer's own are refused before (``test_appointments.py``);
an address that it does not know of itself gets as far as this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from peer.core.clockmap import OffsetEstimate
from peer.core.trace import TraceEvent, VolleyDone
from peer.io.attempt import Attempt
from peer.io.clock import SystemClock, read_clockmap
from peer.io.sockets import LocalPort, claim_ports
from rendezvous.protocol.messages import AttemptResult, Reason
from tests.loopback.faults.peer.hostile import appointment


@dataclass
class Here:
    """What an attempt stands on, without having learned it."""

    ports: list[LocalPort]
    report_took_ns: int | None = None

    def offset(self, timescale: str) -> OffsetEstimate:
        """Take this host's clock for right."""
        return OffsetEstimate(0, 1000, SystemClock().now())

    def close(self) -> None:
        """Leave the ports to the fixture."""


@pytest.fixture
def ports() -> Iterator[list[LocalPort]]:
    """Two claimed ports."""
    claimed = claim_ports((4,), 2, None)
    yield claimed
    for port in claimed:
        port.close()


async def keep(ports: list[LocalPort], targets: list[int]) -> tuple[object, list[TraceEvent]]:
    """Keep an appointment with these ports of this very host; returns outcome and trace."""
    clock, trace = SystemClock(), list[TraceEvent]()
    attempt = Attempt(
        appointment=appointment(1, [f"127.0.0.1:{port}" for port in targets]),
        learned=Here(ports),
        session=bytes(16),
        key=bytes(32),
        clock=clock,
        clockmap=read_clockmap(clock),
        on_one_host=True,
        skew_ns=0,
        emit=trace.append,
        started_at=clock.now(),
        received_at=clock.now(),
    )
    return await attempt.keep(), trace


async def test_attempt_when_each_port_is_its_own_target_ends_at_once_as_not_selected(
    ports: list[LocalPort],
) -> None:
    outcome, trace = await keep(ports, [port.port for port in ports])

    assert isinstance(outcome, AttemptResult)
    assert outcome.reason is Reason.NOT_SELECTED
    # One SYN each, answered by itself, and no more.
    assert VolleyDone(1, shots=2, refusals=0) in trace
    assert [port.volley.fileno() for port in ports] == [-1, -1]

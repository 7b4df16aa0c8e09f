"""The rendezvous's clock, and what a peer would send to it."""

from __future__ import annotations

from typing import Any

from rendezvous.protocol.messages import (
    Candidate,
    CandidateKind,
    MappingBehaviour,
    Offset,
    Report,
)

NOW_US = 1_700_000_000_000_000
SECRET_A, SECRET_B, SECRET_C = "a" * 64, "b" * 64, "c" * 64


class FakeServerClock:
    """A ``rendezvous.clock.Clock`` that moves when it is told to."""

    def __init__(self, now_us: int = NOW_US) -> None:
        """Start at an instant."""
        self.us = now_us

    def now_us(self) -> int:
        """Return the instant."""
        return self.us


def srflx(endpoint: str, *, port_index: int = 0, token: str | None = None) -> Candidate:
    """Make a mapped candidate."""
    kind = CandidateKind.SRFLX
    return Candidate(kind=kind, port_index=port_index, endpoint=endpoint, token=token)


def host(endpoint: str, *, port_index: int = 0, token: str | None = None) -> Candidate:
    """Make a candidate of the peer's own address."""
    kind = CandidateKind.HOST
    return Candidate(kind=kind, port_index=port_index, endpoint=endpoint, token=token)


def report(*candidates: Candidate, **changes: Any) -> Report:
    """Make a report of a peer whose clock is right, 40 ms from the server."""
    fields: dict[str, Any] = {
        "ntp": Offset(offset_us=0, bound_us=1_000),
        "rendezvous": Offset(offset_us=0, bound_us=20_000),
        "rtt_us": 40_000,
        "jitter_us": 500,
        "prepare_us": 5_000,
        "mapping": MappingBehaviour.ENDPOINT_INDEPENDENT,
        "preserves_port": True,
        "candidates": candidates,
    }
    return Report(**(fields | changes))

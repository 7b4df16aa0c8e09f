"""Two peers that meet without a server, in a living lab: ``midair meet`` on both hosts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from lab.scenario import MESSAGES, Scenario, SessionRun
from lab.seat import Seat
from lab.topology import ADDRESSES, SIDES, Side

AHEAD_S = 4.0
"""To an agreed instant: in the guest a peer needs a second to start and to ask for the time."""
TIMEOUT_S = 120.0
"""Most that a meeting may take before its peers are killed: their own limits are shorter."""


def soon(seconds: float = AHEAD_S) -> str:
    """Return an instant ahead as a person would write it, by the lab's true clock."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def partner_of(scenario: Scenario, side: Side) -> str:
    """Return the address by which a peer's partner is known."""
    other = next(each for each in SIDES if each != side)
    spec = scenario.world.spec
    if not spec.ipv4:
        return ADDRESSES[other].lan_peer6
    return ADDRESSES[other].outside(spec.side(other).router.mode)


def meet(
    scenario: Scenario,
    arguments: Sequence[str] = (),
    *,
    environment: Mapping[Side, Mapping[str, str]] | None = None,
    b_after_s: float = 0.0,
    forget: bool = True,
) -> SessionRun:
    """Let both peers meet once; each says a line.

    Args:
        scenario: the lab; its rendezvous is not told of.
        arguments: of both peers, after the partner's address.
        environment: of each peer: a secret, for example.
        b_after_s: how much later peer b is started.
        forget: whether the routers forget all flows before, as after a pause of some minutes.

    Returns:
        What both said, and what the captures saw.
    """
    scenario.forget(flows=forget)
    servers = [word for address in scenario.ntp_addresses for word in ("--ntp", address)]
    own = environment or {}
    deadline = time.monotonic() + b_after_s + TIMEOUT_S
    with ExitStack() as stack:
        seats: dict[Side, Seat] = {}
        for side in SIDES:
            if side == "b":
                time.sleep(b_after_s)
            seats[side] = scenario.seat(side, MESSAGES[side], stack)
            words = ["meet", partner_of(scenario, side), "--json", *servers, *arguments]
            seats[side].start(words, own.get(side, {}))
        return scenario.session_run({side: seat.end(deadline) for side, seat in seats.items()})

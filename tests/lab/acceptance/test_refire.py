"""Firing again at once: peers connect whatever the skew, one round trip after the later one."""

from __future__ import annotations

import pytest

from lab.bench.sections import ANSWERS, SKEWS_MS, SYN_BUDGET
from lab.bench.stage import most_syns_an_attempt, set_routers, skewed, syns
from lab.facts import facts
from lab.scenario import Scenario
from lab.topology import Answer, RouterSpec

RETRANSMISSION_MS = 1000.0
"""RFC 6298 section 2: the first retransmission of a SYN. Who waits for it, did not fire again."""


@pytest.mark.parametrize("skew_ms", SKEWS_MS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_peers_with_a_skew_connect_without_waiting_for_a_retransmission(
    scenario: Scenario, answer: Answer, skew_ms: float
) -> None:
    set_routers(scenario.world, RouterSpec(answer=answer), RouterSpec(answer=answer))
    session = skewed(scenario, skew_ms)
    row = facts(session, scenario.options)
    assert row.connected, [peer.events for peer in session.peers.values()]
    assert row.after_later_ms is not None
    assert row.after_later_ms < RETRANSMISSION_MS / 2
    # The hook did what this test is about: the capture shows b's first SYN so much after the
    # instant, by the kernel's clock, but for what b does not know of the time.
    appointment = session.peers["b"].event("appointment")
    assert appointment is not None
    late_us = syns(session, "b")[0].t_ns / 1000 - appointment["instant_us"]
    assert late_us >= skew_ms * 1000 - appointment["bound_us"]
    assert session.lost_packets == 0
    assert most_syns_an_attempt(session) <= SYN_BUDGET

"""Everything about the two routers can be set by the environment."""

from __future__ import annotations

from pathlib import Path

from tests.compose.project import Project, connection

DELAY_MS, JITTER_MS = 30, 4
LOSS = "1"
REMAPPED = range(20_000, 21_000)
"""deploy/router/router.sh's ports."""
OWN = range(30_000, 30_004)
"""A's ports: a router that remaps would keep one that is in its range already."""


def test_routers_when_told_otherwise_remap_ports_and_vary_the_delay(
    project: Project, tmp_path: Path
) -> None:
    went = project.up(
        NAT_A="remapped",
        PORT_A=f"{OWN[0]}",
        ANSWER_A="drop",
        ANSWER_B="drop",
        DELAY=f"{DELAY_MS}",
        JITTER=f"{JITTER_MS}",
        LOSS=LOSS,
    )
    assert went.exit_code == 0, went.output
    assert (went.codes["peer-a"], went.codes["peer-b"]) == (0, 0)
    # The kernel's own words; up only, so that a packet is lost once.
    assert f"up: delay {DELAY_MS // 2}ms {JITTER_MS}ms loss {LOSS}%" in went.said("router-b")
    assert f"down: delay {DELAY_MS // 2}ms\n" in went.said("router-b")
    shown = connection(project.captures(tmp_path))
    # In one run of fifty it is a crossing SYN that is lost.
    assert shown.claim.simultaneous or shown.claim.half, shown.claim
    # Behind a NAT that remaps, B knows A by a port that A never bound.
    own, known = shown.flows[0].local[1], shown.flows[1].remote[1]
    assert own in OWN
    assert known in REMAPPED
    # The other router keeps them.
    assert shown.flows[1].local[1] == shown.flows[0].remote[1]
    flights = [a.end_ns - a.start_ns for a in shown.model.arrows if a.reached_host and a.left_host]
    assert min(flights) >= (DELAY_MS - JITTER_MS) * 1e6
    assert max(flights) - min(flights) > 1e6

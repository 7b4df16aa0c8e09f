"""``midair doctor`` behind real routers: it says of each what its label says."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import Any

import pytest

from lab.bench.labs import CLOCK_A_S
from lab.bench.stage import set_routers
from lab.scenario import Scenario
from lab.topology import ADDRESSES, RouterSpec

PATIENCE_S = 60.0
KEPT, CHANGED, NEW = [True, True], [True, False], [False, False]
"""What is expected of a partner whose NAT keeps ports: by a rendezvous, and by `midair meet`."""


def examined(scenario: Scenario, kind: str, *, block_ntp: bool = False) -> dict[str, Any]:
    """Run it on peer a, behind a router of a kind; returns its report."""
    set_routers(scenario.world, RouterSpec.named(kind, block_ntp=block_ntp), RouterSpec())  # type: ignore[arg-type]
    scenario.forget()
    with ExitStack() as stack:
        seat = scenario.seat("a", b"", stack)
        seat.start(["doctor", *scenario.servers], {})
        run = seat.end(time.monotonic() + PATIENCE_S)
    assert run.noise == ""
    found = json.loads(run.received)
    assert isinstance(found, dict)
    assert found["exit"] == run.exit_code
    return found


@pytest.mark.parametrize(
    ("kind", "exit_code", "nat", "expected"),
    [
        ("preserving", 0, ("endpoint_independent", "preserved", None), KEPT),
        ("remapped", 0, ("endpoint_independent", None, None), CHANGED),
        ("sequential", 5, ("address_and_port_dependent", "sequential", 1), NEW),
        ("random", 5, ("address_and_port_dependent", "random", None), NEW),
    ],
)
def test_nat_when_examined_is_what_its_label_says(
    scenario: Scenario,
    kind: str,
    exit_code: int,
    nat: tuple[str, str | None, int | None],
    expected: list[bool],
) -> None:
    report = examined(scenario, kind)
    mapping, allocation, step = nat
    found = report["nat"]

    assert (report["exit"], found["translated"], found["mapping"]) == (exit_code, True, mapping)
    assert found["public"] == [ADDRESSES["a"].wan]
    assert found["preserves_port"] == (allocation == "preserved")
    assert allocation in (None, found["allocation"])
    assert found["step"] == step or allocation is None
    assert found["hairpin"] is False, "these routers do not lead back"
    keeps = next(row for row in report["partners"] if row["partner"] == "a NAT that keeps ports")
    assert [keeps["rendezvous"], keeps["meet"]] == expected


@pytest.mark.parametrize("kind", ["firewall", "none"])
def test_host_when_there_is_no_nat_knows_its_address(scenario: Scenario, kind: str) -> None:
    report = examined(scenario, kind)

    assert (report["exit"], report["nat"]["translated"]) == (0, False)
    assert report["nat"]["public"] == [ADDRESSES["a"].public_peer]
    assert report["nat"]["hairpin"] is None


def test_clock_when_examined_is_as_wrong_as_the_lab_made_it(scenario: Scenario) -> None:
    clock = examined(scenario, "preserving")["clock"]

    for source in ("ntp", "rendezvous"):
        wrong_by_us = abs(clock[source]["offset_us"] + CLOCK_A_S * 1e6)
        assert wrong_by_us <= clock[source]["bound_us"]


def test_clock_when_ntp_is_blocked_still_serves_but_for_meetings(scenario: Scenario) -> None:
    report = examined(scenario, "preserving", block_ntp=True)

    assert (report["exit"], report["clock"]["status"], report["clock"]["ntp"]) == (
        0,
        "warning",
        None,
    )
    assert report["partners"][1]["rendezvous"] is True
    assert {row["meet"] for row in report["partners"]} == {False}


def test_kernel_when_examined_opens_simultaneously(scenario: Scenario) -> None:
    assert examined(scenario, "preserving")["kernel"]["simultaneous_open"] is True

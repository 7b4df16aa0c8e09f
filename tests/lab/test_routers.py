"""Each kind of router is what its label says, and ``verify`` sees when one is not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lab import router
from lab.topology import ADDRESSES, AccessSpec, Answer, LinkSpec, Mapping, Mode, RouterSpec
from lab.verify import Finding, verify
from lab.world import World


def broken(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.side, finding.what) for finding in findings if not finding.holds]


@pytest.mark.parametrize(
    ("kind_a", "kind_b", "answer", "block_ntp"),
    [
        ("preserving", "remapped", "rst", False),
        ("sequential", "random", "drop", False),
        ("firewall", "none", "icmp", True),
        ("remapped", "firewall", "admin", True),
        ("random", "sequential", "icmp", False),
        ("none", "preserving", "drop", True),
        ("firewall", "preserving", "rst", False),
    ],
)
def test_routers_are_what_their_labels_say(
    world: World, kind_a: Mapping | Mode, kind_b: Mapping | Mode, answer: Answer, block_ntp: bool
) -> None:
    world.set_router("a", RouterSpec.named(kind_a, answer=answer, block_ntp=block_ntp))
    world.set_router("b", RouterSpec.named(kind_b, answer=answer))
    findings = verify(world)
    assert broken(findings) == []
    assert len(findings) == 2 * 9


def test_links_lose_and_reorder_as_stated(world: World) -> None:
    world.set_access(
        "a",
        AccessSpec(
            up=LinkSpec(delay_ms=10, loss_percent=20, reorder_percent=25),
            down=LinkSpec(delay_ms=10, loss_percent=10),
        ),
    )
    assert broken(verify(world)) == []


def test_verify_of_routers_that_lie_names_what_does_not_hold(world: World) -> None:
    # Changed behind the world's back.
    lie = RouterSpec(mapping="random", answer="drop", block_ntp=True)
    world.space("router-b").call(lambda: router.apply(lie, ADDRESSES["b"].wan))
    world.space("router-a").netlink(
        lambda ipr: ipr.tc("del", "netem", index=ipr.link_lookup(ifname="wan")[0], handle=0x10000)
    )
    findings = verify(world)
    world.set_router("b", RouterSpec())
    world.set_access("a", world.spec.a.access)
    assert broken(findings) == [
        ("a", "round trip to a server"),
        ("b", "mapping"),
        ("b", "answer to a SYN"),
        ("b", "answer to a SYN, IPv6"),
        ("b", "NTP"),
    ]


def run_verify(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.cli", "verify", *argv],
        capture_output=True,
        text=True,
        check=False,
    )


def test_verify_command_prints_its_findings_as_json() -> None:
    done = run_verify("--nat-b", "none", "--ipv6", "--delay", "5", "--json")
    assert done.stderr == ""
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["holds"] is True
    assert {finding["side"] for finding in answer["findings"]} == {"a", "b"}


def test_verify_command_with_wrong_usage_exits_2() -> None:
    done = run_verify("--nat-a", "conical")
    assert done.returncode == 2
    assert "conical" in done.stderr

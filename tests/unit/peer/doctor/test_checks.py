"""What the doctor says of what it has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from peer.core.clockmap import OffsetEstimate
from peer.core.doctor.check import Check, Status, exit_code, worst
from peer.core.doctor.clock import ClockSeen, judge_clock
from peer.core.doctor.kernel import KernelSeen, judge_kernel
from peer.core.doctor.nat import NatSeen, judge_ipv6, judge_nat
from peer.core.doctor.rendezvous import RendezvousSeen, judge_rendezvous
from peer.core.mapping import Observation
from peer.core.times import MonoNs
from rendezvous.protocol.endpoints import Endpoint

MS = 10**6
OWN, PUBLIC = "10.1.0.2", "198.51.100.2"
REFLECTORS = (Endpoint("192.0.2.10", 8081), Endpoint("192.0.2.10", 8082))
REFLECTORS_6 = (Endpoint("2001:db8:5::10", 8081), Endpoint("2001:db8:5::10", 8082))
KERNEL = KernelSeen(refused=None, ephemeral=(32_768, 60_999))


def estimate(offset_ns: int = -3_700 * MS, bound_ns: int = 10 * MS) -> OffsetEstimate:
    return OffsetEstimate(offset_ns, bound_ns, MonoNs(0))


def nat(kind: str, own: str = OWN, outside: str = PUBLIC) -> NatSeen:
    """Four ports seen by two reflectors through a NAT of a kind."""
    seen = []
    for index in range(4):
        for number, reflector in enumerate(REFLECTORS):
            local = Endpoint(own, 30_000 + 7 * index)
            flow = 2 * index + number
            public = {
                "none": local,
                "preserving": Endpoint(outside, local.port),
                "remapped": Endpoint(outside, 20_500 + 31 * index),
                "sequential": Endpoint(outside, 20_000 + flow),
                "random": Endpoint(outside, 1_024 + 7_919 * (flow + 1) % 60_000),
            }[kind]
            seen.append(Observation(index, local, reflector, public, None))
    return NatSeen(asked=True, observations=tuple(seen))


def lines(check: Check) -> str:
    return "\n".join(check.lines)


def test_clock_when_ntp_answers_is_ok_and_said_with_its_bound() -> None:
    check = judge_clock(ClockSeen(ntp=estimate(), survivors=("a", "b", "c")))

    assert (check.status, check.exit_code) == (Status.OK, 0)
    assert check.lines == (
        "this clock is 3.700 s ahead (± 10.0 ms), by NTP",
        "3 of 3 NTP servers answered",
    )
    assert check.facts["ntp"] == {
        "offset_us": -3_700_000,
        "bound_us": 10_000,
        "servers": ["a", "b", "c"],
        "falsetickers": [],
    }


@pytest.mark.parametrize(
    ("seen", "status", "text"),
    [
        (ClockSeen(), Status.BROKEN, "no NTP server answers"),
        (ClockSeen(falsetickers=("a", "b")), Status.BROKEN, "contradict each other: a, b"),
        (ClockSeen(rendezvous=estimate()), Status.WARNING, "`midair meet` needs one"),
        (ClockSeen(ntp=estimate(bound_ns=200 * MS)), Status.WARNING, "known badly"),
        (ClockSeen(ntp=estimate(bound_ns=1_001 * MS)), Status.WARNING, "too badly for `midair"),
        (ClockSeen(ntp=estimate(), survivors=("a",)), Status.OK, "three outvote a wrong one"),
        (
            ClockSeen(ntp=estimate(), survivors=("a", "b", "c"), falsetickers=("d",)),
            Status.OK,
            "wrong, and outvoted: d",
        ),
        (ClockSeen(ntp=estimate(-(10**12))), Status.OK, "other programs, and certificates"),
        (
            ClockSeen(failures={"a": "no answer", "b": "no answer", "c": "refused"}),
            Status.BROKEN,
            "a, b: no answer\nc: refused",
        ),
        (ClockSeen(ntp=estimate(), rendezvous=estimate(5 * MS)), Status.OK, "5.00 ms behind"),
    ],
)
def test_clock_when_something_is_amiss_says_so(seen: ClockSeen, status: Status, text: str) -> None:
    check = judge_clock(seen)

    assert (check.status, check.exit_code) == (status, 4 if status is Status.BROKEN else 0)
    assert text in lines(check)


@pytest.mark.parametrize(
    ("seen", "status", "code", "text"),
    [
        (KERNEL, Status.OK, 0, "midair takes others"),
        (replace(KERNEL, refused="Connection refused"), Status.BROKEN, 1, "does not work here"),
        (replace(KERNEL, ephemeral=(1_024, 65_535)), Status.WARNING, 0, "those of `midair meet`"),
        (replace(KERNEL, local_ports=(20_000, 20_003)), Status.OK, 0, "midair takes others"),
        (replace(KERNEL, local_ports=(32_765, 32_768)), Status.WARNING, 0, "yours are among them"),
        (
            replace(KERNEL, local_ports=(20_000, 20_003), busy=(20_001,)),
            Status.BROKEN,
            2,
            "local port 20001 is in use",
        ),
        (replace(KERNEL, conntrack={"count": 5, "max": 100}), Status.OK, 0, "5 of at most 100"),
        (
            replace(KERNEL, conntrack={"count": 90, "max": 100}),
            Status.WARNING,
            0,
            "new ones may be dropped",
        ),
        (
            replace(
                KERNEL, conntrack={"count": 1, "max": 9, "syn_sent": 120, "established": 432_000}
            ),
            Status.OK,
            0,
            "forgets after: SYN 120 s, silent 5 days",
        ),
    ],
)
def test_kernel_when_judged_says_what_matters(
    seen: KernelSeen, status: Status, code: int, text: str
) -> None:
    check = judge_kernel(seen)

    assert (check.status, check.exit_code) == (status, code)
    assert text in lines(check)


def test_rendezvous_when_judged_says_whether_it_can_be_used() -> None:
    none = judge_rendezvous(RendezvousSeen())
    good = judge_rendezvous(RendezvousSeen("http://r:8080", rtt_us=41_200, reflectors=2))
    gone = judge_rendezvous(RendezvousSeen("http://r:8080", trouble="it is gone"))

    assert [check.status for check in (none, good, gone)] == [
        Status.UNKNOWN,
        Status.OK,
        Status.BROKEN,
    ]
    assert good.lines == ("http://r:8080 answers, round trip 41.2 ms",)
    assert (gone.lines, gone.exit_code) == (("it is gone",), 3)


@pytest.mark.parametrize(
    ("kind", "status", "texts"),
    [
        ("preserving", Status.OK, [PUBLIC, "endpoint-independent, ports are kept"]),
        ("remapped", Status.OK, ["endpoint-independent, ports are changed"]),
        ("sequential", Status.BROKEN, ["address-and-port-dependent, ports are counted up by 1"]),
        ("random", Status.BROKEN, ["ports are random", "nobody can say where to aim"]),
    ],
)
def test_nat_when_judged_names_its_behaviour(kind: str, status: Status, texts: list[str]) -> None:
    check = judge_nat(nat(kind))

    assert (check.status, check.exit_code) == (status, 5 if status is Status.BROKEN else 0)
    assert all(text in lines(check) for text in texts)


def test_nat_when_there_is_none_says_the_address() -> None:
    check = judge_nat(nat("none", own=PUBLIC))

    assert check.lines[0] == f"none: this host is {PUBLIC}, seen from outside"
    assert check.facts["translated"] is False


@pytest.mark.parametrize(
    ("seen", "status", "code", "text"),
    [
        (NatSeen(asked=False), Status.UNKNOWN, 0, "--reflector HOST:PORT"),
        (NatSeen(asked=True), Status.BROKEN, 3, "no reflector answers"),
        (NatSeen(asked=True, trouble="ports taken"), Status.BROKEN, 3, "ports taken"),
        (replace(nat("preserving"), hairpin=True), Status.OK, 0, "it leads back"),
        (replace(nat("preserving"), hairpin=False), Status.OK, 0, "does not lead back to its own"),
    ],
)
def test_nat_when_something_is_known_or_not_says_so(
    seen: NatSeen, status: Status, code: int, text: str
) -> None:
    check = judge_nat(seen)

    assert (check.status, check.exit_code) == (status, code)
    assert text in lines(check)


def test_nat_when_one_reflector_answered_does_not_know_the_behaviour() -> None:
    seen = nat("preserving")
    half = tuple(each for each in seen.observations if each.reflector == REFLECTORS[0])
    check = judge_nat(replace(seen, observations=half))

    assert check.status is Status.OK
    assert "not known (only one reflector answered)" in lines(check)


def ipv6_seen(public: str) -> NatSeen:
    local, mapped = Endpoint("2001:db8:a1::2", 30_000), Endpoint(public, 30_000)
    observed = tuple(Observation(0, local, each, mapped, None) for each in REFLECTORS_6)
    return NatSeen(asked=True, observations=observed, ipv6=local.address)


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (NatSeen(asked=True), "none; a partner"),
        (NatSeen(asked=True, ipv6="2001:db8:a1::2"), "no reflector was asked over it"),
        (ipv6_seen("2001:db8:a1::2"), "seen from outside as it is"),
        (ipv6_seen("2001:db8:a::9"), "through a NAT"),
    ],
)
def test_ipv6_when_judged_is_never_broken(seen: NatSeen, text: str) -> None:
    check = judge_ipv6(seen)

    assert check.status is Status.OK
    assert text in lines(check)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], Status.OK),
        ([Status.OK, Status.UNKNOWN], Status.OK),
        ([Status.WARNING, Status.OK], Status.WARNING),
        ([Status.WARNING, Status.BROKEN, Status.UNKNOWN], Status.BROKEN),
    ],
)
def test_worst_when_asked_leaves_out_what_was_not_looked_at(
    found: Sequence[Status], expected: Status
) -> None:
    assert worst(*found) is expected


def test_exit_code_when_several_are_broken_is_the_first_ones() -> None:
    checks = [
        Check("a", Status.WARNING, ()),
        Check("b", Status.BROKEN, (), exit_code=4),
        Check("c", Status.BROKEN, (), exit_code=5),
    ]

    assert exit_code(checks) == 4
    assert exit_code(checks[:1]) == 0


@pytest.mark.parametrize("own", ["127.0.0.1", "192.168.1.5", "100.64.0.9"])
def test_nat_when_reflectors_are_on_this_side_of_it_is_not_said_to_be_none(own: str) -> None:
    check = judge_nat(nat("none", own))

    assert (check.status, check.exit_code) == (Status.OK, 0)
    assert "seen from outside" not in lines(check)
    assert "was not looked at" in check.lines[0]
    assert "this host is 203.0.113.9, seen from outside" in lines(
        judge_nat(nat("none", "203.0.113.9"))
    )


def test_nat_when_reflectors_see_a_private_address_through_a_nat_says_what_is_behind_them() -> None:
    check = judge_nat(nat("preserving", own="192.168.1.5", outside="10.0.0.9"))

    assert "seen from outside" not in lines(check)
    assert "between them and the internet was not looked at" in check.lines[0]
    assert "ports are kept" in lines(check)

"""Judging measurements of a lab; the measurements themselves are in tests/lab."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.datagrams import count_datagrams
from lab.packets import Flags, Icmp, Packet, Quoted, Tcp
from lab.probes import Answer, classify_answer, handshake_times_ms
from lab.verify import delay_holds, loss_holds, mapping_word

HERE, THERE = ("10.1.0.2", 28000), ("203.0.113.2", 28000)


def segment(t_ms: float, flags: Flags, *, out: bool) -> Packet:
    source, destination = (HERE, THERE) if out else (THERE, HERE)
    body = Tcp(
        source=source,
        destination=destination,
        sequence=0,
        acknowledgement=0,
        flags=flags,
        options_length=0,
        payload_length=0,
    )
    return packet(t_ms, body, out=out)


def packet(t_ms: float, body: Tcp | Icmp, *, out: bool, version: int = 4) -> Packet:
    return Packet(
        t_ns=int(t_ms * 1e6),
        direction="out" if out else "in",
        version=version,
        source="",
        destination="",
        protocol=6,
        body=body,
        raw=b"",
    )


def icmp(t_ms: float, kind: int, code: int, *, version: int = 4) -> Packet:
    about = Quoted(protocol=6, source=HERE, destination=THERE, sequence=0)
    return packet(t_ms, Icmp(type=kind, code=code, about=about), out=False, version=version)


@pytest.mark.parametrize(
    ("ports", "word"),
    [
        ([28000] * 5, "preserving"),
        ([20804] * 5, "remapped"),
        ([40000] * 5, "one other port"),
        ([20003, 20004, 20005, 20006, 20007], "sequential"),
        ([20254, 20255, 20000, 20001, 20002], "sequential"),
        ([30001, 30002, 30003, 30004, 30005], "random"),
        ([5000, 61000, 12, 999, 40000], "random"),
        ([5000, 5000, 12, 999, 40000], "mixed"),
    ],
)
def test_mapping_word_of_five_flows(ports: Sequence[int], word: str) -> None:
    assert mapping_word(28000, ports) == word


def test_delay_holds_when_the_shortest_fits() -> None:
    assert delay_holds([40.3, 900.0], 40, 0)
    assert delay_holds([31.0, 49.0], 40, 10)
    assert delay_holds([0.2], 0, 0)


def test_delay_does_not_hold_when_too_short_too_long_or_unmeasured() -> None:
    assert not delay_holds([20.1], 40, 0)
    assert not delay_holds([60.0], 40, 0)
    assert not delay_holds([], 0, 0)


def test_loss_holds_within_four_sigma() -> None:
    assert loss_holds(400, 0, 0)
    assert not loss_holds(400, 1, 0)
    assert loss_holds(400, 40, 10)
    assert not loss_holds(400, 0, 10)
    assert loss_holds(400, 400, 100)


@given(st.permutations(range(20)))
def test_count_datagrams_of_a_permutation_loses_none(numbers: list[int]) -> None:
    row = count_datagrams(numbers, 20)
    assert row.lost == 0
    assert (row.overtaking == 0) == (numbers == sorted(numbers))


def test_count_datagrams_counts_the_overtaker_not_the_overtaken() -> None:
    row = count_datagrams([0, 5, 1, 2, 3, 4], 7)
    assert (row.lost, row.overtaking) == (1, 1)


def test_handshake_times_when_a_syn_was_repeated_count_from_the_last() -> None:
    packets = [
        segment(0, Flags.SYN, out=True),
        segment(1000, Flags.SYN, out=True),
        segment(1040, Flags.SYN | Flags.ACK, out=False),
        segment(1041, Flags.ACK, out=True),
    ]
    assert handshake_times_ms(packets) == [40.0]


@pytest.mark.parametrize(
    ("came", "kind"),
    [
        (segment(40, Flags.RST | Flags.ACK, out=False), "rst"),
        (segment(40, Flags.SYN | Flags.ACK, out=False), "syn-ack"),
        (icmp(40, 3, 3), "icmp"),
        (icmp(40, 3, 13), "admin"),
        (icmp(40, 1, 4, version=6), "icmp"),
        (icmp(40, 1, 1, version=6), "admin"),
        (icmp(40, 11, 0), "icmp-11-0"),
    ],
)
def test_classify_answer_names_what_came(came: Packet, kind: str) -> None:
    packets = [segment(0, Flags.SYN, out=True), came]
    assert classify_answer(packets, THERE) == Answer(kind, 40.0)


def test_classify_answer_when_nothing_came_is_drop() -> None:
    assert classify_answer([segment(0, Flags.SYN, out=True)], THERE) == Answer("drop", None)

"""Two capture files, put together again."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli import cli
from lab.packets import Endpoint, Flags, Packet, parse, pcap
from lab.replay import ReplayError, conclusion, read, replay

A, B = ("10.1.0.2", 41000), ("10.2.0.2", 42000)
ROUTER_A, ROUTER_B = ("198.51.100.2", 41000), ("203.0.113.2", 42000)
SERVER = ("192.0.2.10", 8080)
START_NS = 1_800_000_000_000_000_000
DELAY_MS = 20
SYN, SYN_ACK, ACK = Flags.SYN, Flags.SYN | Flags.ACK, Flags.ACK


def segment(
    at_ms: float, source: Endpoint, destination: Endpoint, flags: int, seq: int, ack: int = 0
) -> Packet:
    """Make a packet as a capture holds it, its checksums left out."""
    tcp = struct.pack("!HHIIBBHHH", source[1], destination[1], seq, ack, 5 << 4, flags, 0, 0, 0)
    ends = IPv4Address(source[0]).packed + IPv4Address(destination[0]).packed
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + ends
    packet = parse(ip + tcp, t_ns=START_NS + round(at_ms * 1e6), direction="in")
    assert packet is not None
    return packet


def captures(*, lost: bool = False) -> tuple[bytes, bytes]:
    """Make the files of a simultaneous open, B's first SYN 5 ms after A's.

    Args:
        lost: A's SYN is lost, so that B has nothing to answer until A does.
    """
    # (leaves, of A?, flags, seq, ack): RFC 9293 figure 7.
    sent = [
        (0, True, SYN, 100, 0),
        (5, False, SYN, 300, 0),
        (20, False, SYN_ACK, 300, 101),
        (25, True, SYN_ACK, 100, 301),
        (46, False, ACK, 301, 101),
    ]
    if lost:
        sent = [sent[0], sent[1], (25, True, SYN_ACK, 100, 301), (46, False, ACK, 301, 101)]
    seen: dict[bool, list[Packet]] = {True: [], False: []}
    for end in (A, B):
        seen[end is A].append(segment(-50, end, SERVER, SYN, 7))
    for at_ms, from_a, *rest in sent:
        near, far = ((A, ROUTER_B), (ROUTER_A, B)) if from_a else ((B, ROUTER_A), (ROUTER_B, A))
        seen[from_a].append(segment(at_ms, *near, *rest))
        if not (lost and at_ms == 0):
            seen[not from_a].append(segment(at_ms + DELAY_MS, *far, *rest))
    return pcap(seen[True]), pcap(seen[False])


def test_replay_of_two_syns_that_crossed_says_so_from_the_first_syn_on() -> None:
    a, b = captures()
    shown = replay(read(a), read(b))
    assert shown.claim.simultaneous
    assert shown.model.origin_ns == START_NS
    assert shown.claim.skew_ns == 5_000_000
    assert [flow.local for flow in shown.flows] == [A, B]
    assert [flow.remote for flow in shown.flows] == [ROUTER_B, ROUTER_A]
    assert conclusion(shown).splitlines() == [
        "Two bare SYNs crossed and nobody listened.",
        "",
        "  peer A  10.1.0.2:41000 ⇄ 203.0.113.2:42000",
        "  peer B  10.2.0.2:42000 ⇄ 198.51.100.2:41000",
        "  first SYNs apart: 5.00 ms",
        "  open 40.0 ms after the later one",
    ]


@pytest.mark.parametrize(
    ("lost", "lossy", "code"),
    [(False, False, 0), (False, True, 0), (True, False, 1), (True, True, 0)],
)
def test_diagram_when_a_syn_was_lost_exits_with_zero_only_where_that_may_be(
    tmp_path: Path, lost: bool, lossy: bool, code: int
) -> None:
    files = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    for file, data in zip(files, captures(lost=lost), strict=True):
        file.write_bytes(data)
    words = ["diagram", *map(str, files), *["--lossy"] * lossy]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == code, done.output
    lost_words = "One SYN was lost on the way; the other met a host that was itself calling."
    assert (lost_words in done.output) == lost


def test_diagram_when_one_host_listened_is_no_better_for_a_lossy_network(tmp_path: Path) -> None:
    at = [(A, ROUTER_B, SYN, 100, 0), (ROUTER_A, B, SYN, 100, 0)]
    back = [(B, ROUTER_A, SYN_ACK, 300, 101), (ROUTER_B, A, SYN_ACK, 300, 101)]
    files = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    files[0].write_bytes(pcap([segment(0, *at[0]), segment(60, *back[1])]))
    files[1].write_bytes(pcap([segment(20, *at[1]), segment(40, *back[0])]))
    owned = ["--host-a", A[0], "--host-b", B[0]]
    done = CliRunner().invoke(cli, ["diagram", *map(str, files), "--lossy", *owned])
    assert done.exit_code == 1, done.output


def test_read_when_a_packet_is_the_hosts_own_gives_it_the_direction_out() -> None:
    packets = read(captures()[0])
    assert {packet.source for packet in packets if packet.direction == "out"} == {A[0]}
    assert {packet.destination for packet in packets if packet.direction == "in"} == {A[0]}


def test_read_when_two_addresses_could_be_the_hosts_own_asks_which() -> None:
    data = pcap([segment(0, A, ROUTER_B, SYN, 100)])
    with pytest.raises(ReplayError, match=r"the host may be .*: say which"):
        read(data)
    assert read(data, ROUTER_B[0])[0].direction == "in"
    assert read(data, A[0])[0].direction == "out"


def test_replay_of_captures_with_nothing_in_common_says_so() -> None:
    a, b = (pcap([segment(0, end, SERVER, SYN, seq)]) for end, seq in ((A, 1), (B, 2)))
    with pytest.raises(ReplayError, match="no packet that one host had sent"):
        replay(read(a, A[0]), read(b, B[0]))


@pytest.mark.parametrize("data", [b"", b"no pcap file at all, but long enough"])
def test_read_of_another_file_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a pcap file"):
        read(data)


def test_read_of_an_empty_capture_is_no_packet() -> None:
    assert read(pcap([])) == []

"""Parsing captured bytes, and pcap files."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.packets import Flags, Packet, Tcp, parse, pcap, read_pcap

SYN = bytes.fromhex(
    "4500003c1c464000400600000a010002cb007102"  # 10.1.0.2 -> 203.0.113.2, 60 bytes
    "753075310000000100000000a002faf000000000"  # 30000 -> 30001, seq 1
    "020405b40402080a00000001000000000103" + "0307"
)
V6_RST = bytes.fromhex(
    "6000000000140640"
    "20010db800a100000000000000000002"
    "20010db800b100000000000000000002"
    "75307531000000000000000250140000" + "00000000"
)


def parsed(data: bytes) -> Packet:
    packet = parse(data, t_ns=7, direction="out")
    assert packet is not None
    return packet


def test_parse_syn_gives_header_and_lengths() -> None:
    assert parsed(SYN).body == Tcp(
        source=("10.1.0.2", 30000),
        destination=("203.0.113.2", 30001),
        sequence=1,
        acknowledgement=0,
        flags=Flags.SYN,
        options_length=20,
        payload_length=0,
    )


def test_parse_syn_is_bare_and_named() -> None:
    tcp = parsed(SYN).tcp
    assert tcp is not None
    assert tcp.is_bare_syn
    assert tcp.flag_words == "SYN"


def test_parse_ipv6_reset_is_not_a_bare_syn() -> None:
    tcp = parsed(V6_RST).tcp
    assert tcp is not None
    assert tcp.destination == ("2001:db8:b1::2", 30001)
    assert tcp.flag_words == "RST,ACK"
    assert not tcp.is_bare_syn


def test_parse_icmp_error_names_the_flow_it_is_about() -> None:
    body = bytes([3, 3, 0, 0, 0, 0, 0, 0]) + SYN[:28]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 1, 0)
    icmp = parsed(header + bytes([203, 0, 113, 2, 10, 1, 0, 2]) + body).icmp
    assert icmp is not None
    assert (icmp.type, icmp.code) == (3, 3)
    assert icmp.about is not None
    assert icmp.about.source == ("10.1.0.2", 30000)
    assert icmp.about.destination == ("203.0.113.2", 30001)
    assert icmp.about.sequence == 1


def test_parse_packet_cut_off_after_headers_keeps_the_true_payload_length() -> None:
    long = bytearray(SYN)
    long[2:4] = (60 + 1000).to_bytes(2, "big")
    tcp = parsed(bytes(long)).tcp
    assert tcp is not None
    assert tcp.payload_length == 1000


@given(st.binary(max_size=200))
def test_parse_arbitrary_bytes_never_raises(data: bytes) -> None:
    packet = parse(data, t_ns=0, direction="in")
    assert packet is None or packet.version in (4, 6)


@given(st.integers(0, len(SYN) - 1), st.integers(0, 255))
def test_parse_damaged_syn_never_raises(position: int, value: int) -> None:
    damaged = bytearray(SYN)
    damaged[position] = value
    parse(bytes(damaged), t_ns=0, direction="in")
    parse(bytes(damaged[:position]), t_ns=0, direction="in")


@given(st.lists(st.integers(0, 2**32 * 1_000_000_000 - 1), max_size=5))
def test_pcap_when_read_back_is_the_same(times: list[int]) -> None:
    packets = [parse(SYN, t_ns=time, direction="out") for time in times]
    written = pcap(packet for packet in packets if packet is not None)
    assert read_pcap(written) == [(time, SYN) for time in times]


@given(st.binary(max_size=100))
def test_read_pcap_of_arbitrary_bytes_raises_only_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"pcap|cut off"):
        read_pcap(data)

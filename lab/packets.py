"""Packets as values: parses what a capture saw. Pure; no sockets.

Arbitrary bytes never raise: what is no IP packet, or is cut off, gives ``None``.

Reference: RFC 791, RFC 8200 (extension headers are not followed), RFC 9293 section 3.1, RFC 792,
RFC 4443; the pcap format with nanoseconds, link type LINKTYPE_RAW.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

Direction = Literal["in", "out"]
Endpoint = tuple[str, int]

_TCP, _UDP, _ICMP, _ICMPV6 = 6, 17, 1, 58
_ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
"""RFC 792: the types whose body is the packet they are about."""
_PCAP_NANOSECONDS = 0xA1B23C4D
_LINKTYPE_RAW = 101
_SNAPLEN = 65535


class Flags(IntFlag):
    """TCP's control bits."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16
    URG = 32
    ECE = 64
    CWR = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """A TCP segment's header."""

    source: Endpoint
    destination: Endpoint
    sequence: int
    acknowledgement: int
    flags: Flags
    options_length: int
    payload_length: int

    @property
    def is_bare_syn(self) -> bool:
        """Tell whether this is a SYN without ACK: the only kind that can cross another."""
        return self.flags & (Flags.SYN | Flags.ACK) == Flags.SYN

    @property
    def flag_words(self) -> str:
        """``SYN,ACK`` and the like; ``-`` for none."""
        return ",".join(str(flag.name) for flag in self.flags) or "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The transport header inside an ICMP error: which flow it is about."""

    protocol: int
    source: Endpoint
    destination: Endpoint
    sequence: int
    """Of TCP; 0 for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Icmp:
    """An ICMP or ICMPv6 message."""

    type: int
    code: int
    about: Quoted | None
    """Of an error message, where it could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Udp:
    """A UDP datagram's header."""

    source: Endpoint
    destination: Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """An IP packet that a capture saw."""

    t_ns: int
    """When the kernel received or sent it: POSIX UTC of the kernel's true clock."""
    direction: Direction
    version: int
    source: str
    destination: str
    protocol: int
    body: Tcp | Icmp | Udp | None
    raw: bytes
    """From the IP header on."""

    @property
    def tcp(self) -> Tcp | None:
        """The TCP header, if it is TCP."""
        return self.body if isinstance(self.body, Tcp) else None

    @property
    def icmp(self) -> Icmp | None:
        """The ICMP message, if it is one."""
        return self.body if isinstance(self.body, Icmp) else None


@dataclass(frozen=True, slots=True)
class _Ip:
    version: int
    source: str
    destination: str
    protocol: int
    payload: bytes
    payload_length: int
    """By the header; the payload may have been cut off."""


def _parse_ip(data: bytes) -> _Ip | None:
    if len(data) >= 20 and data[0] >> 4 == 4:
        header = (data[0] & 15) * 4
        total = int.from_bytes(data[2:4], "big")
        fragment = int.from_bytes(data[6:8], "big") & 0x1FFF
        if header < 20 or len(data) < header or total < header or fragment:
            return None
        source, destination = IPv4Address(data[12:16]), IPv4Address(data[16:20])
        body = data[header:total]
        return _Ip(4, str(source), str(destination), data[9], body, total - header)
    if len(data) >= 40 and data[0] >> 4 == 6:
        length = int.from_bytes(data[4:6], "big")
        source6, destination6 = IPv6Address(data[8:24]), IPv6Address(data[24:40])
        body = data[40 : 40 + length]
        return _Ip(6, str(source6), str(destination6), data[6], body, length)
    return None


def _parse_tcp(ip: _Ip) -> Tcp | None:
    if len(ip.payload) < 20:
        return None
    source, destination, sequence, acknowledgement, offset, flags = struct.unpack_from(
        "!HHIIBB", ip.payload
    )
    header = (offset >> 4) * 4
    if header < 20 or header > ip.payload_length:
        return None
    return Tcp(
        source=(ip.source, source),
        destination=(ip.destination, destination),
        sequence=sequence,
        acknowledgement=acknowledgement,
        flags=Flags(flags),
        options_length=header - 20,
        payload_length=ip.payload_length - header,
    )


def _parse_quoted(data: bytes) -> Quoted | None:
    """Parse the head of a packet that an ICMP error quotes: 8 bytes of transport are certain."""
    ip = _parse_ip(data)
    if ip is None or len(ip.payload) < 8 or ip.protocol not in (_TCP, _UDP):
        return None
    source, destination, sequence = struct.unpack_from("!HHI", ip.payload)
    return Quoted(
        protocol=ip.protocol,
        source=(ip.source, source),
        destination=(ip.destination, destination),
        sequence=sequence if ip.protocol == _TCP else 0,
    )


def _parse_icmp(ip: _Ip) -> Icmp | None:
    if len(ip.payload) < 8:
        return None
    kind, code = ip.payload[0], ip.payload[1]
    # RFC 4443: error messages have types below 128.
    is_error = kind < 128 if ip.version == 6 else kind in _ICMP_ERRORS
    return Icmp(type=kind, code=code, about=_parse_quoted(ip.payload[8:]) if is_error else None)


def _parse_udp(ip: _Ip) -> Udp | None:
    if len(ip.payload) < 8:
        return None
    source, destination = struct.unpack_from("!HH", ip.payload)
    return Udp(source=(ip.source, source), destination=(ip.destination, destination))


def parse(data: bytes, *, t_ns: int, direction: Direction) -> Packet | None:
    """Parse a packet from its IP header on.

    Args:
        data: the packet; it may be cut off after the headers.
        t_ns: when it was seen, POSIX UTC nanoseconds.
        direction: as seen by the host that captured.

    Returns:
        The packet, its body ``None`` where that could not be read; or None for what is not IP, or
        is a later fragment.
    """
    ip = _parse_ip(data)
    if ip is None:
        return None
    body: Tcp | Icmp | Udp | None = None
    if ip.protocol == _TCP:
        body = _parse_tcp(ip)
    elif ip.protocol == (_ICMPV6 if ip.version == 6 else _ICMP):
        body = _parse_icmp(ip)
    elif ip.protocol == _UDP:
        body = _parse_udp(ip)
    return Packet(
        t_ns=t_ns,
        direction=direction,
        version=ip.version,
        source=ip.source,
        destination=ip.destination,
        protocol=ip.protocol,
        body=body,
        raw=data,
    )


def pcap(packets: Iterable[Packet]) -> bytes:
    """Write packets as a pcap file, which tcpdump and Wireshark read."""
    parts = [struct.pack("=IHHiIII", _PCAP_NANOSECONDS, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_RAW)]
    for packet in packets:
        seconds, nanoseconds = divmod(packet.t_ns, 1_000_000_000)
        size = len(packet.raw)
        parts.append(struct.pack("=IIII", seconds, nanoseconds, size, size) + packet.raw)
    return b"".join(parts)


def read_pcap(data: bytes) -> list[tuple[int, bytes]]:
    """Read back what :func:`pcap` wrote: (t_ns, packet).

    Raises:
        ValueError: it is something else, or cut off.
    """
    if len(data) < 24 or struct.unpack_from("=I", data)[0] != _PCAP_NANOSECONDS:
        raise ValueError("not a pcap file with nanoseconds of this machine's byte order")
    position, packets = 24, []
    while position < len(data):
        if position + 16 > len(data):
            raise ValueError("cut off in a packet's header")
        seconds, nanoseconds, size, _ = struct.unpack_from("=IIII", data, position)
        position += 16
        if position + size > len(data):
            raise ValueError("cut off in a packet")
        packets.append((seconds * 1_000_000_000 + nanoseconds, data[position : position + size]))
        position += size
    return packets

"""Captures see both SYNs of a simultaneous open, in the order in which they crossed."""

from __future__ import annotations

import errno
import select
import socket
import subprocess
from pathlib import Path

import pytest

from lab.capture import Capture
from lab.packets import Flags, Packet, read_pcap
from lab.topology import ADDRESSES, Answer, RouterSpec, Side
from lab.world import World

PORT = 28100


def bound(world: World, side: Side, port: int) -> socket.socket:
    client = world.space(f"peer-{side}").call(lambda: socket.socket())
    client.setblocking(False)
    client.bind(("", port))
    return client


def handshake(packets: list[Packet]) -> list[tuple[str, str]]:
    return [(packet.direction, packet.tcp.flag_words) for packet in packets if packet.tcp]


@pytest.mark.parametrize(("answer", "port"), [("rst", PORT), ("drop", PORT + 1)])
def test_captures_of_two_syns_that_cross_show_them_leave_before_they_arrive(
    world: World, tmp_path: Path, answer: Answer, port: int
) -> None:
    for side in ("a", "b"):
        world.set_router(side, RouterSpec(answer=answer))
    with (
        bound(world, "a", port) as a,
        bound(world, "b", port) as b,
        Capture(world.space("peer-a")) as seen_a,
        Capture(world.space("peer-b")) as seen_b,
    ):
        for client, remote in ((a, ADDRESSES["b"].wan), (b, ADDRESSES["a"].wan)):
            assert client.connect_ex((remote, port)) == errno.EINPROGRESS
        for client in (a, b):
            assert select.select([], [client], [], 5)[1]
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        a.setblocking(True)
        b.setblocking(True)
        a.sendall(b"I love you.")
        assert b.recv(64) == b"I love you."
    for capture, remote in ((seen_a, ADDRESSES["b"].wan), (seen_b, ADDRESSES["a"].wan)):
        packets = capture.packets()
        assert capture.lost == 0
        # RFC 9293 figure 7: both send SYN, both receive it, both send SYN,ACK.
        assert handshake(packets)[:4] == [
            ("out", "SYN"),
            ("in", "SYN"),
            ("out", "SYN,ACK"),
            ("in", "SYN,ACK"),
        ]
        syns = [packet for packet in packets if packet.tcp and packet.tcp.is_bare_syn]
        assert syns[0].destination == syns[1].source == remote
        capture.write_pcap(tmp_path / "syns.pcap")
        written = read_pcap((tmp_path / "syns.pcap").read_bytes())
        assert written == [(packet.t_ns, packet.raw) for packet in packets]
    assert all(world.counters(side)["unsolicited4"] == 0 for side in ("a", "b"))


def test_capture_shows_what_an_icmp_error_is_about(world: World) -> None:
    world.set_router("b", RouterSpec(answer="icmp"))
    with bound(world, "a", PORT + 2) as client, Capture(world.space("peer-a")) as capture:
        client.connect_ex((ADDRESSES["b"].wan, PORT + 2))
        assert select.select([], [client], [], 5)[1]
    (error,) = [packet.icmp for packet in capture.packets() if packet.icmp]
    assert error.about is not None
    assert error.about.source == (ADDRESSES["a"].private_peer, PORT + 2)
    assert error.about.destination == (ADDRESSES["b"].wan, PORT + 2)


def test_capture_when_cleared_forgets(world: World) -> None:
    world.set_router("b", RouterSpec())
    with bound(world, "a", PORT + 3) as client, Capture(world.space("peer-a")) as capture:
        client.connect_ex((ADDRESSES["b"].wan, PORT + 3))
        assert select.select([], [client], [], 5)[1]
        capture.clear()
        assert capture.packets() == []
        client.connect_ex((ADDRESSES["b"].wan, PORT + 3))
        client.connect_ex((ADDRESSES["b"].wan, PORT + 3))
        assert select.select([], [client], [], 5)[1]
    flags = [packet.tcp.flags for packet in capture.packets() if packet.tcp]
    assert flags == [Flags.SYN, Flags.RST | Flags.ACK]


def test_capture_of_an_interface_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(OSError, match="No such device"):
        Capture(world.space("peer-a"), "eth7")


def test_pcap_is_read_by_tcpdump_where_it_is_installed(world: World, tmp_path: Path) -> None:
    with bound(world, "a", PORT + 4) as client, Capture(world.space("peer-a")) as capture:
        client.connect_ex((ADDRESSES["b"].wan, PORT + 4))
        assert select.select([], [client], [], 5)[1]
    path = tmp_path / "syn.pcap"
    capture.write_pcap(path)
    try:
        done = subprocess.run(["tcpdump", "-nr", path], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        return
    assert f"{ADDRESSES['a'].private_peer}.{PORT + 4} > " in done.stdout

"""The experiments, run for real: what the captures saw, packet by packet.

What each says of itself (its checks) is asserted once for all; here the packets are read again,
by other means than the experiments' own.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from lab.experiments import MODULES, dissolve_tcp, never_accepted, self_connect
from lab.experiments import one_port_many_peers as one_port
from lab.packets import Udp
from tests.lab_host.seen import (
    ACK,
    DATA,
    FIN_ACK,
    LOVE,
    RST,
    RST_ACK,
    SYN,
    SYN_ACK,
    flags,
    of_flow,
    report,
    scene,
    segments,
)


@pytest.mark.parametrize("name", MODULES)
def test_experiment_when_run_holds_on_whole_captures(name: str) -> None:
    found = report(name)

    assert [(check.what, check.seen) for check in found.checks if not check.holds] == []
    assert found.holds
    assert [one.lost for one in found.scenes] == [0] * len(found.scenes)
    assert all(one.ladder.flights and one.steps and one.packets for one in found.scenes)


def test_simultaneous_open_when_both_call_sends_two_syns_that_cross() -> None:
    found = scene("simultaneous-open", "cross")
    sent = flags(found.packets)

    # Each host: SYN, SYN·ACK (the same sequence number), ACK; then what it has to say.
    assert sent[:4] == [SYN, SYN, SYN_ACK, SYN_ACK]
    assert sorted(sent[4:6]) == [ACK, ACK]
    assert RST not in sent
    assert sent.count(SYN) == sent.count(SYN_ACK) == 2
    tcp = segments(found.packets)
    assert {(t.source, t.sequence) for t in tcp[:2]} == {(t.source, t.sequence) for t in tcp[2:4]}
    one, other = found.ladder.flights[:2]
    assert one.source != other.source
    assert max(one.start_ns, other.start_ns) < min(one.end_ns, other.end_ns)
    said = [
        p.raw[-t.payload_length :]
        for p, t in zip(found.packets, tcp, strict=True)
        if t.payload_length
    ]
    assert said == [LOVE, b"I love you, too."]


@pytest.mark.parametrize(("words", "first"), [("too early", "A"), ("too late", "B")])
def test_simultaneous_open_when_apart_is_two_calls_and_two_refusals(words: str, first: str) -> None:
    found = scene("simultaneous-open", words)

    assert flags(found.packets) == [SYN, RST_ACK, SYN, RST_ACK]
    assert found.ladder.lanes[found.ladder.flights[0].source].name == first
    # Each is over before the next begins: nothing crossed.
    assert all(a.end_ns <= b.start_ns for a, b in pairwise(found.ladder.flights))
    assert "ESTABLISHED" not in [note.text for note in found.ladder.notes]


@pytest.mark.parametrize("words", ["127.0.0.1", "localhost", "comparing"])
def test_self_connect_when_inside_the_range_ends_with_a_syn_to_itself(words: str) -> None:
    found = scene("self-connect", words)
    tcp = segments(found.packets)
    syns = [t for t in tcp if t.flags == SYN]
    *refused, last = syns

    assert last.source == last.destination
    assert last.source[1] == self_connect.INSIDE
    assert all(t.source != t.destination for t in refused)
    assert {t.destination[1] for t in syns} == {self_connect.INSIDE}
    answers = [t for t in tcp if t.flags == RST_ACK and t.source != t.destination]
    assert [t.destination for t in answers] == [t.source for t in refused]
    assert all(self_connect.FIRST <= t.source[1] <= self_connect.LAST for t in syns)
    with_itself = [t.flags for t in tcp if t.source == t.destination]
    assert with_itself[:3] == [SYN, SYN_ACK, ACK]
    said = sum(t.payload_length for t in tcp)
    assert said == (0 if words == "comparing" else len(LOVE))


@pytest.mark.parametrize("words", ["outside", "listener"])
def test_self_connect_when_it_cannot_happen_does_not_in_a_full_turn(words: str) -> None:
    found = scene("self-connect", words)
    tcp = segments(found.packets)
    syns = [t for t in tcp if t.flags == SYN]
    called = {t.destination[1] for t in syns}
    ports = {t.source[1] for t in syns}

    assert called == {self_connect.OUTSIDE if words == "outside" else self_connect.INSIDE}
    assert not ports & called
    assert len(syns) > self_connect.LAST - self_connect.FIRST
    # The kernel gives connect() every second port: all of them came, but the listener's own.
    half = set(range(self_connect.FIRST, self_connect.LAST + 1, 2))
    assert ports >= half - {self_connect.INSIDE}
    refusals = [t for t in tcp if t.flags == RST_ACK and t.source[1] in called]
    assert len(refusals) == (len(syns) if words == "outside" else 0)


def test_one_socket_when_it_calls_itself_sends_everything_to_itself() -> None:
    found = scene("one-socket", "One socket")

    assert flags(found.packets) == [SYN, SYN_ACK, ACK, DATA, ACK, FIN_ACK, ACK]
    assert {t.source == t.destination for t in segments(found.packets)} == {True}
    assert found.packets[3].raw.endswith(LOVE)
    assert [f.seq for f in found.ladder.flights] == [0, 0, 1, 1, 12, 12, 13]
    assert [f.ack for f in found.ladder.flights] == [None, 1, 1, 1, 12, 12, 13]


@pytest.mark.parametrize("option", ["SO_REUSEPORT", "SO_REUSEADDR"])
def test_one_port_when_three_peers_are_called_sends_three_syns_from_it(option: str) -> None:
    found = scene("one-port-many-peers", option)
    syns = [t for t in segments(found.packets) if t.flags == SYN]

    assert [(t.source, t.destination) for t in syns] == [
        (one_port.LOCAL, remote) for remote in one_port.REMOTES.values()
    ]
    for peer, remote in one_port.REMOTES.items():
        flow = of_flow(found.packets, one_port.LOCAL, remote)
        assert flags(flow) == [SYN, SYN_ACK, ACK, DATA, ACK]
        assert flow[3].raw.endswith(peer.encode())


@pytest.mark.parametrize("words", ["a bound port", "by the kernel"])
def test_dissolve_when_used_again_resets_each_connection(words: str) -> None:
    words = "chosen by the kernel" if words == "by the kernel" else words
    found = scene("dissolve", words)

    assert flags(found.packets) == [SYN, SYN_ACK, ACK, RST_ACK] * 3
    syns = [t for t in segments(found.packets) if t.flags == SYN]
    assert [t.destination for t in syns] == dissolve_tcp.PEERS
    ports = {t.source[1] for t in syns}
    assert ports == {dissolve_tcp.BOUND[1]} if words == "a bound port" else len(ports) == 3


def test_dissolve_when_data_is_unread_resets_what_was_acknowledged() -> None:
    found = scene("dissolve", "Unread")

    assert flags(found.packets) == [SYN, SYN_ACK, ACK, DATA, ACK, RST_ACK]
    assert [f.ack for f in found.ladder.flights][-2:] == [12, 12]


def test_dissolve_when_read_to_the_end_resets_after_the_fin_was_acknowledged() -> None:
    found = scene("dissolve", "FIN")
    first = of_flow(found.packets, dissolve_tcp.BOUND, dissolve_tcp.PEERS[0])
    second = of_flow(found.packets, dissolve_tcp.BOUND, dissolve_tcp.PEERS[1])
    sent = flags(first)

    assert sent[:3] == [SYN, SYN_ACK, ACK]
    # An ACK may be for the data alone, or for data and FIN together.
    assert sent[3] == DATA
    assert [f for f in sent[4:] if f != ACK] == [FIN_ACK, RST_ACK]
    assert (sent[-1], sent[-2]) == (RST_ACK, ACK)
    assert flags(second) == [SYN, SYN_ACK, ACK]


def test_dissolve_when_the_call_is_pending_sends_nothing() -> None:
    found = scene("dissolve", "nobody has answered")

    assert flags(found.packets) == [SYN, SYN, SYN_ACK, ACK]
    assert [t.destination for t in segments(found.packets)][:2] == dissolve_tcp.PEERS[:2]


def test_dissolve_when_udp_sends_nothing_and_lets_strangers_in() -> None:
    found = scene("dissolve", "UDP")
    datagrams = [p for p in found.packets if isinstance(p.body, Udp)]
    refused = [p.icmp for p in found.packets if p.icmp]

    assert [p.raw[28:] for p in datagrams] == [
        b"from the peer",
        b"from a stranger",
        b"unread",
        b"from a stranger",
    ]
    # Port unreachable, for the stranger's first datagram only: while the association was there.
    assert [(icmp.type, icmp.code) for icmp in refused] == [(3, 3)]
    assert found.packets.index(datagrams[2]) > next(
        n for n, p in enumerate(found.packets) if p.icmp
    )
    assert len(found.packets) == len(datagrams) + len(refused)


def test_never_accepted_when_the_backlog_is_full_drops_the_next_syn() -> None:
    found = scene("never-accepted", "Nobody accepts")
    first, second, third = (
        flags(of_flow(found.packets, client, never_accepted.SERVER))
        for client in never_accepted.CLIENTS
    )

    assert first == [SYN, SYN_ACK, ACK, DATA, ACK, RST_ACK]
    assert second == [SYN, SYN_ACK, ACK, RST_ACK]
    assert third == [SYN] * (len(third) - 1) + [RST_ACK]
    assert len(third) >= 4
    # Before the listener ended, nobody had been reset.
    resets = [n for n, f in enumerate(flags(found.packets)) if f & RST]
    assert min(resets) > max(n for n, f in enumerate(flags(found.packets)) if f == SYN_ACK)


def test_never_accepted_when_all_goes_in_order_closes_with_four_segments() -> None:
    found = scene("never-accepted", "In order")
    client = never_accepted.CLIENTS[0]
    tcp = segments(found.packets)

    assert flags(found.packets) == [
        *(SYN, SYN_ACK, ACK, DATA, ACK),
        *(FIN_ACK, ACK, FIN_ACK, ACK),
    ]
    assert [t.source == client for t in tcp[-4:]] == [True, False, False, True]

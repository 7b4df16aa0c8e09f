"""``spoiled``, run for real: what the captures saw of the third host, and of midair."""

from __future__ import annotations

import pytest

from tests.lab_host.seen import LOVE, RST, SYN, scene, segments


def test_spoiled_when_the_port_is_guessed_the_server_resets_the_client() -> None:
    found = scene("spoiled", "right port")
    flights = found.ladder.flights
    names = [lane.name for lane in found.ladder.lanes]
    told = [(names[f.source], f.flags) for f in flights]

    assert sorted(told[:2]) == [("client", "SYN"), ("third host", "SYN")]
    assert ("client", "SYN·ACK") in told
    assert ("server", "SYN·ACK") in told
    assert ("server", "RST") in told
    forged = next(f for f in flights if names[f.source] == "third host")
    honest = next(f for f in flights if names[f.source] == "client")
    # It bears the very name of the server's answer, and is there before that.
    assert forged.flow == honest.flow[::-1]
    answer = next(f for f in flights if names[f.source] == "server")
    assert forged.end_ns < answer.end_ns


@pytest.mark.parametrize("words", ["own name", "wrong port"])
def test_spoiled_when_not_guessed_or_not_forged_the_client_is_answered(words: str) -> None:
    found = scene("spoiled", words)
    names = [lane.name for lane in found.ladder.lanes]
    told = [(names[f.source], names[f.target], f.flags) for f in found.ladder.flights]

    between = [t for t in told if "third host" not in t]
    assert [t for t in between if "RST" not in t[2]] == [
        ("client", "server", "SYN"),
        ("server", "client", "SYN·ACK"),
        ("client", "server", "ACK"),
    ]
    # The stranger is refused by RST: at its own address, or at the server's, whose name it bore.
    refused = [t[1] for t in told if "RST" in t[2]]
    assert refused == ["third host" if words == "own name" else "server"]


def test_spoiled_when_every_port_is_known_midair_fires_again_and_connects() -> None:
    found = scene("spoiled", "all its ports are known")
    host = {"A": "192.0.2.1", "B": "192.0.2.2"}
    between = [
        t for t in segments(found.packets) if {t.source[0], t.destination[0]} == set(host.values())
    ]
    forged = [t for t in between if t.flags == SYN and t.sequence == 7000]
    shots = [t for t in between if t.flags == SYN and t.source[0] == host["A"]]
    resets = [t for t in between if t.flags == RST and t.sequence == 7001]

    assert {t.source[0] for t in forged} == {host["B"]}
    assert len(forged) == len({t.destination for t in forged}) == 4
    # B resets what the forged SYN has begun, on every pair, and each pair fires once more.
    assert {t.destination for t in resets} == {t.destination for t in forged}
    assert len({t.sequence for t in shots}) >= 8


def test_spoiled_when_the_far_end_has_no_code_midair_does_not_call_it() -> None:
    found = scene("spoiled", "does not have the code")

    # A shot may have been refused before: on a busy machine the peers are not on time.
    assert {f.source for f in found.ladder.flights if f.flags == "SYN"} == {0, 1}
    assert {f.source for f in found.ladder.flights if f.length} == {0, 1}
    assert not any(LOVE in packet.raw for packet in found.packets)
    hosts = {"192.0.2.1", "192.0.2.2"}
    flows = {
        frozenset({t.source, t.destination})
        for t in segments(found.packets)
        if {t.source[0], t.destination[0]} == hosts
    }
    # Those of the one session in which both had it.
    assert len(flows) <= 4

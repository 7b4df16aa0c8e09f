"""midair against a third host that knows every port: a scene of the experiment ``spoiled``."""

from __future__ import annotations

from collections.abc import Sequence

from lab.diagram.ladder import Lane
from lab.experiments.calls import LOVE, show
from lab.experiments.forge import send_syn
from lab.experiments.programs import Ended, Peer, rendezvous
from lab.experiments.record import Recorder
from lab.experiments.relay import INTERFACE, Relay, address
from lab.experiments.report import Check, Scene
from lab.experiments.sessions import Pair, end_both, pairs_of, until_open
from lab.packets import Packet

A, B, MEETING, THIRD = "peer A", "peer B", "rendezvous", "third host"
DELAY_S = 0.02
FORGED_SEQUENCE = 7000
_LINE = f"{LOVE}\n"


def hit() -> tuple[Scene, list[Check]]:
    """Spoil every shot of a volley: the third host is told the ports, and is always first."""
    with Relay((A, B, MEETING, THIRD), delay_s=DELAY_S) as relay:
        hosts = {name: relay.rooms[name] for name in (A, B, THIRD)}
        with Recorder("midair: all its ports are known", hosts, INTERFACE) as record:
            with rendezvous(relay.rooms[MEETING], address(3)) as url:
                pairs, a, b = _meet(relay, record, url)
            connected = a.find("connected")
            record.did(
                f"A: midair listen, B: midair connect; when both have fired, the third host, which "
                f"was told the ports, sends a SYN in B's name to each of A's {len(pairs)}, and it "
                "is there before B's"
            )
            told = connected or {"shots": 0, "refusals": 0, "winner_shots": 0, "pair": 0}
            record.did(
                f"A: {told['refusals']} of {told['shots']} shots refused; connected by shot "
                f"{told['winner_shots']} of pair {told['pair']}; exit codes "
                f"{a.exit_code} and {b.exit_code}"
            )
            scene = record.scene(_lanes(pairs[told["pair"]]), shorten=until_open, pictured=False)
            spoilt = _spoilt(record.packets(A), pairs)
    return scene, [
        Check(
            "midair: hit on every port at the right moment, it fires again and connects",
            f"{len(spoilt)} of {len(pairs)} first shots spoilt (reset by B after the forged SYN); "
            f"{told['shots']} shots in all; B heard {b.heard!r}; exit codes "
            f"{a.exit_code} and {b.exit_code}",
            len(spoilt) == len(pairs) > 0
            and told["refusals"] >= len(pairs)
            and b.heard == _LINE.encode()
            and a.exit_code == b.exit_code == 0,
        )
    ]


def _meet(relay: Relay, record: Recorder, url: str) -> tuple[list[Pair], Ended, Ended]:
    rooms = relay.rooms
    with (
        Peer(rooms[A], url, "listen", says=_LINE) as one,
        Peer(rooms[B], url, "connect", one.code(), says="") as other,
    ):
        with relay.holding(A, B):
            pairs = pairs_of(one.wait_for("appointment"), address(1))
            other.wait_for("appointment")
            record.wait_until(lambda: all(_called(record, name, pairs) for name in (A, B)))
            for local, remote in pairs:
                send_syn(rooms[THIRD], source=remote, target=local, sequence=FORGED_SEQUENCE)
            record.wait_until(lambda: _arrived(record, pairs))
        a, b = end_both(one, other)
    return pairs, a, b


def _called(record: Recorder, name: str, pairs: Sequence[Pair]) -> bool:
    """Tell whether a peer's first shots have all left."""
    left = {
        frozenset((packet.tcp.source, packet.tcp.destination))
        for packet in record.packets(name)
        if packet.tcp and packet.direction == "out" and packet.tcp.is_bare_syn
    }
    return all(frozenset(pair) in left for pair in pairs)


def _arrived(record: Recorder, pairs: Sequence[Pair]) -> bool:
    """Tell whether A has a forged SYN on each pair."""
    forged = (
        packet
        for packet in record.packets(A)
        if packet.tcp and packet.direction == "in" and packet.tcp.sequence == FORGED_SEQUENCE
    )
    return len(list(forged)) >= len(pairs)


def _spoilt(packets: Sequence[Packet], pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs on which B has reset the connection that the forged SYN began."""
    resets = {
        (packet.tcp.destination, packet.tcp.source)
        for packet in packets
        if packet.tcp
        and packet.direction == "in"
        and packet.tcp.flag_words == "RST"
        and packet.tcp.sequence == FORGED_SEQUENCE + 1
    }
    return [pair for pair in pairs if pair in resets]


def _lanes(pair: Pair) -> list[Lane]:
    local, remote = pair
    return [
        # What it sends bears B's name, and that is all that is of interest.
        Lane(THIRD, address(4), THIRD, frozenset({remote}), poses_as=B, states=False),
        Lane(A, show(local), A, frozenset({local})),
        Lane(B, show(remote), B, frozenset({remote})),
    ]

"""What midair does about strangers: the last scene of the experiment ``spoiled``.

Runs the programs themselves: one session in which the partner does not have the code, and one in
which it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.diagram.ladder import Lane
from lab.experiments.calls import LOVE, show
from lab.experiments.programs import Ended, Peer, rendezvous
from lab.experiments.record import Recorder
from lab.experiments.relay import INTERFACE, Relay, address
from lab.experiments.report import Check, Scene
from lab.experiments.sessions import end_both, pairs_of, without_goodbye
from lab.packets import Endpoint, Packet

A, B, MEETING = "peer A", "peer B", "rendezvous"
DELAY_S = 0.02
_LINE = f"{LOVE}\n"
AUTHENTICATION = 6
"""Exit code of a peer whose partner does not know the code."""


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Both ends of the two sessions, A's first."""

    wrong: tuple[Ended, Ended]
    right: tuple[Ended, Ended]

    @property
    def all(self) -> tuple[Ended, ...]:
        """All four peers."""
        return *self.wrong, *self.right


def against(ephemeral: tuple[int, int]) -> tuple[Scene, list[Check]]:
    """Run midair against somebody who has the nameplate and not the words.

    Args:
        ephemeral: the kernel's own ports, first and last.
    """
    title = "midair: who does not have the code is not called"
    with Relay((A, B, MEETING), delay_s=DELAY_S) as relay:
        hosts = {name: relay.rooms[name] for name in (A, B)}
        with Recorder(title, hosts, INTERFACE) as record:
            with rendezvous(relay.rooms[MEETING], address(3)) as url:
                sessions = _meet(relay, url)
            packets = record.packets(A)
            pairs = pairs_of(sessions.right[0].find("appointment"), address(1))
            ends = _talked(packets, pairs)
            record.did(
                f"A: midair listen, with {LOVE!r} to say; B: midair connect, with A's nameplate "
                "and other words; then the same with the right code, which is drawn"
            )
            record.did(
                "exit codes: "
                + ", ".join(str(peer.exit_code) for peer in sessions.all)
                + " (A and B without the code, A and B with it)"
            )
            lanes = [
                Lane(name, show(end), name, frozenset({end}), states=True)
                for name, end in zip((A, B), ends, strict=True)
            ]
            scene = record.scene(lanes, shorten=without_goodbye)
    return scene, [
        _not_called(sessions.wrong, packets, pairs),
        Check(
            "with the code the same line arrives",
            f"{sessions.right[1].heard!r}; exit codes {_codes(sessions.right)}",
            sessions.right[1].heard == _LINE.encode() and _codes(sessions.right) == (0, 0),
        ),
        _unpredictable(sessions.right, ephemeral),
    ]


def _meet(relay: Relay, url: str) -> _Sessions:
    a, b = relay.rooms[A], relay.rooms[B]
    with Peer(a, url, "listen", says=_LINE) as one, Peer(a, url, "listen", says=_LINE) as other:
        codes = one.code(), other.code()
        # Words as good as the right ones, but for one guess in 65,536: they are another session's.
        nameplate, words = codes[0].split("-", 1)[0], codes[1].split("-", 1)[1]
        with Peer(b, url, "connect", f"{nameplate}-{words}", says="") as stranger:
            wrong = end_both(one, stranger)
        with Peer(b, url, "connect", codes[1], says="") as partner:
            return _Sessions(wrong, end_both(other, partner))


def _talked(
    packets: Sequence[Packet], pairs: Sequence[tuple[Endpoint, Endpoint]]
) -> tuple[Endpoint, Endpoint]:
    """Return the pair that was connected first: the first with data of both ends."""
    said = [(p.tcp.source, p.tcp.destination) for p in packets if p.tcp and p.tcp.payload_length]
    both = [pair for pair in pairs if pair in said and pair[::-1] in said]
    return min(both, key=lambda pair: said.index(pair), default=(("", 0), ("", 0)))


def _not_called(
    peers: tuple[Ended, Ended],
    packets: Sequence[Packet],
    right: Sequence[tuple[Endpoint, Endpoint]],
) -> Check:
    hosts = {address(1), address(2)}
    flows = {
        (p.tcp.source, p.tcp.destination)
        for p in packets
        if p.tcp and {p.tcp.source[0], p.tcp.destination[0]} == hosts
    }
    others = flows - {pair for one in right for pair in (one, one[::-1])}
    return Check(
        "without the code not a SYN goes to the far end",
        f"TCP between A and B beside the {len(right)} pairs of those who had the code: "
        f"{len(others)}; B printed {peers[1].heard!r}; exit codes {_codes(peers)}",
        bool(right)
        and not others
        and peers[1].heard == b""
        and _codes(peers) == (AUTHENTICATION, AUTHENTICATION),
    )


def _codes(peers: tuple[Ended, Ended]) -> tuple[int, int]:
    return peers[0].exit_code, peers[1].exit_code


def _unpredictable(peers: Sequence[Ended], ephemeral: tuple[int, int]) -> Check:
    ports = [local[1] for peer in peers for local, _ in pairs_of(peer.find("appointment"), "")]
    first, last = ephemeral
    gaps = {after - before for before, after in pairwise(ports)}
    # Of so few draws out of some 27,000 two may be the same once in some hundred runs.
    different = len(set(ports)) >= len(ports) - 1
    return Check(
        "midair's ports: drawn for each session, in no order, none of the kernel's own range",
        f"{', '.join(map(str, ports))}; the kernel's are {first} to {last}",
        len(ports) >= 2 * len(peers)
        and different
        and not any(first <= port <= last for port in ports)
        and len(gaps) > len(ports) // 2,
    )

"""What midair does about strangers: the last scene of the experiment ``spoiled``.

Runs the programs themselves: one session in which the far end does not have the code, and one in
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
"""Exit code of a peer whose far end does not know the code."""


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
    """Run midair against somebody who has the nameplate and not the code.

    Args:
        ephemeral: the kernel's own ports, first and last.
    """
    title = "midair: the far end does not have the code"
    with Relay((A, B, MEETING), delay_s=DELAY_S) as relay:
        hosts = {name: relay.rooms[name] for name in (A, B)}
        with Recorder(title, hosts, INTERFACE) as record:
            with rendezvous(relay.rooms[MEETING], address(3)) as url:
                sessions = _meet(relay, url)
            packets = record.packets(A)
            ends = _talked(packets, pairs_of(sessions.wrong[0].find("appointment"), address(1)))
            record.did(
                f"A: midair listen, with {LOVE!r} to say; B: midair connect, with A's nameplate "
                "and another secret; then the same with the right code"
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
        _nothing_told(sessions.wrong, packets, ends),
        Check(
            "with the code the same line arrives",
            f"{sessions.right[1].heard!r}; exit codes {_codes(sessions.right)}",
            sessions.right[1].heard == _LINE.encode() and _codes(sessions.right) == (0, 0),
        ),
        _unpredictable(sessions.all, ephemeral),
    ]


def _meet(relay: Relay, url: str) -> _Sessions:
    a, b = relay.rooms[A], relay.rooms[B]
    with Peer(a, url, "listen", says=_LINE) as one, Peer(a, url, "listen", says=_LINE) as other:
        codes = one.code(), other.code()
        # A secret as good as the right one: it belongs to another session.
        nameplate, secret = codes[0].split("-", 1)[0], codes[1].split("-", 1)[1]
        with Peer(b, url, "connect", f"{nameplate}-{secret}", says="") as stranger:
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


def _nothing_told(
    peers: tuple[Ended, Ended], packets: Sequence[Packet], ends: tuple[Endpoint, Endpoint]
) -> Check:
    flow = [p for p in packets if p.tcp and {p.tcp.source, p.tcp.destination} == set(ends)]
    said = sum(p.tcp.payload_length for p in flow if p.tcp and p.direction == "out")
    carried = any(LOVE.encode() in p.raw for p in flow)
    return Check(
        "without the code TCP connects, and not a byte of the user's leaves",
        f"A sent {said} bytes of greeting, the line is in "
        f"{'a packet' if carried else 'no packet'} of that connection; B printed "
        f"{peers[1].heard!r}; exit codes {_codes(peers)}",
        said > 0
        and not carried
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

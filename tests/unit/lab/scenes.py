"""Flows made by hand, as two captures would show them: what the diagram's tests draw.

The ports that B's side sees differ from A's, as behind a NAT that remaps.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.diagram import Flow, Seen, Side, SpaceTime, assemble, quoting
from lab.diagram.model import ACK, FIN, PSH, RST, SYN

FLOWS = (
    Flow(("10.1.0.2", 41000), ("203.0.113.2", 20804)),
    Flow(("10.2.0.2", 42000), ("198.51.100.2", 41000)),
)
LOVE = b"I love you."
INSTANT_NS = 1_800_000_000_000_000_000
RST_ACK = RST | ACK


def _ns(ms: float) -> int:
    return INSTANT_NS + round(ms * 1e6)


class Scene:
    """Collects packets; times are milliseconds after the instant."""

    def __init__(self, delay_ms: float) -> None:
        self.delay_ms = delay_ms
        self.seen: dict[Side, list[Seen]] = {Side.A: [], Side.B: []}

    def send(
        self,
        side: Side,
        at_ms: float,
        flags: int,
        seq: int,
        ack: int = 0,
        *,
        payload: bytes = b"",
        lost: bool = False,
    ) -> None:
        """A host sends a packet, which arrives after the delay, or not at all."""
        sides = [(side, True, at_ms)]
        if not lost:
            sides.append((side.other, False, at_ms + self.delay_ms))
        for where, out, t_ms in sides:
            self.seen[where].append(
                Seen(
                    t_ns=_ns(t_ms),
                    out=out,
                    flow=FLOWS[where is Side.B],
                    flags=flags,
                    seq=seq,
                    ack=ack,
                    length=len(payload),
                    payload=payload,
                )
            )

    def refuse(self, side: Side, at_ms: float, isn: int, icmp: str | None = None) -> None:
        """A router answers a SYN of `side`; the answer arrives at that time."""
        flow = FLOWS[side is Side.B]
        answer = Seen(t_ns=_ns(at_ms), out=False, flow=flow, flags=RST_ACK, ack=isn + 1)
        if icmp is not None:
            answer = Seen(t_ns=_ns(at_ms), out=False, flow=flow, seq=isn, icmp=icmp)
        self.seen[side].append(answer)

    def model(self) -> SpaceTime:
        """Match what was collected."""
        a, b = (sorted(self.seen[s], key=lambda p: p.t_ns) for s in Side)
        return assemble(
            a,
            b,
            origin_ns=INSTANT_NS,
            names=("peer A", "peer B"),
            flows=FLOWS,
            note=quoting([LOVE]),
        )


def open_crossed(scene: Scene, a_ms: float, b_ms: float, isn_a: int, isn_b: int) -> None:
    """Two SYNs cross; then both hosts talk and hang up."""
    d = scene.delay_ms
    scene.send(Side.A, a_ms, SYN, isn_a)
    scene.send(Side.B, b_ms, SYN, isn_b)
    scene.send(Side.A, b_ms + d + 0.02, SYN | ACK, isn_a, isn_b + 1)
    scene.send(Side.B, a_ms + d + 0.02, SYN | ACK, isn_b, isn_a + 1)
    done_a, done_b = a_ms + 2 * d + 0.05, b_ms + 2 * d + 0.06
    scene.send(Side.A, done_a, ACK, isn_a + 1, isn_b + 1)
    scene.send(Side.B, done_b, ACK, isn_b + 1, isn_a + 1)
    hello = b"\x01" * 72
    scene.send(Side.A, done_a + 0.5, PSH | ACK, isn_a + 1, isn_b + 1, payload=hello)
    scene.send(Side.B, done_b + 0.5, PSH | ACK, isn_b + 1, isn_a + 1, payload=hello)
    both = max(done_a, done_b) + d + 1
    love = b"\x00\x00\x00\x0c" + LOVE
    for n, (side, mine, theirs) in enumerate(((Side.A, isn_a, isn_b), (Side.B, isn_b, isn_a))):
        at, seq, ack = both + 0.3 * n, mine + 73, theirs + 73
        scene.send(side, at, PSH | ACK, seq, ack, payload=love)
        scene.send(side, at + 2 * d + 4, FIN | ACK, seq + 15, ack + 15)
        scene.send(side, at + 3 * d + 5, ACK, seq + 16, ack + 16)


def perfect() -> Scene:
    """20 ms one way, the SYNs leave 0.1 ms apart."""
    scene = Scene(20)
    open_crossed(scene, 0.02, 0.12, 1000, 4_294_967_290)
    return scene


def skewed(answer: str = "rst") -> Scene:
    """20 ms one way, B 25 ms late: A is refused, fires again, and that SYN crosses."""
    scene = Scene(20)
    scene.send(Side.A, 0.03, SYN, 1000, lost=True)
    scene.refuse(Side.A, 40.1, 1000, None if answer == "rst" else answer)
    open_crossed(scene, 40.2, 25.03, 2000, 7000)
    return scene


def dropped(skew_ms: float = 333) -> Scene:
    """20 ms one way, A early, B's NAT drops in silence: B's SYN meets A, which is calling."""
    scene, b = Scene(20), skew_ms
    scene.send(Side.A, 0, SYN, 1000, lost=True)
    scene.send(Side.B, b, SYN, 7000)
    scene.send(Side.A, b + 20.02, SYN | ACK, 1000, 7001)
    scene.send(Side.B, b + 40.05, ACK, 7001, 1001)
    scene.send(Side.B, b + 40.3, PSH | ACK, 7001, 1001, payload=LOVE)
    scene.send(Side.A, b + 60.4, ACK, 1001, 7012)
    return scene


def bare_link(skew_ms: float = 5) -> Scene:
    """No NAT and no delay: B's kernel refuses 45 SYNs a millisecond until B calls, too."""
    scene = Scene(0.008)
    shots = int(skew_ms * 45)
    for n in range(shots):
        at = n * skew_ms / shots
        scene.send(Side.A, at, SYN, 1000 + 10 * n)
        scene.send(Side.B, at + 0.0085, RST_ACK, 0, 1001 + 10 * n)
    open_crossed(scene, skew_ms + 0.001, skew_ms + 0.004, 900_000, 70_000)
    return scene


def listened() -> Scene:
    """An ordinary connection: B listens."""
    scene = Scene(20)
    scene.send(Side.A, 0, SYN, 1000)
    scene.send(Side.B, 20.02, SYN | ACK, 7000, 1001)
    scene.send(Side.A, 40.05, ACK, 1001, 7001)
    return scene


SCENES: dict[str, Callable[[], Scene]] = {
    "crossing": perfect,
    "skew-rst": skewed,
    "skew-icmp": lambda: skewed("port unreachable"),
    "drop": dropped,
    "no-delay": bare_link,
    "listener": listened,
}


def model_of(name: str) -> SpaceTime:
    """Assemble a scene by its name."""
    return SCENES[name]().model()

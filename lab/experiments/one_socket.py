"""One socket that is both ends of its connection."""

from __future__ import annotations

from collections.abc import Sequence

from lab.diagram.ladder import Lane
from lab.experiments.calls import LOVE, connect, hear, show
from lab.experiments.kernel import Entry
from lab.experiments.record import LOOPBACK, Recorder
from lab.experiments.report import Check, Report, Scene
from lab.experiments.room import Room

TITLE = "One socket says “I love you.” and hears it"
CLAIM = (
    "A socket that binds a port and connects to that very port is connected: to itself. What it "
    "sends it receives. No listener, no second socket."
)
LESSON = (
    "This is simultaneous open with one participant: the SYN that it sends comes back to a socket "
    "in SYN-SENT, so it is answered with SYN·ACK, which comes back, too. TCP asks only whether "
    "addresses and ports match, and they do. It also closes with itself: its own FIN makes it "
    "CLOSING, since both ends have hung up at once."
)
ROOM = "host"
END = ("127.0.0.1", 1314)


def run() -> Report:
    """Run the experiment."""
    with Room(ROOM) as room, Recorder("One socket", {ROOM: room}, LOOPBACK) as record:
        with room.socket() as sock:
            sock.bind(END)
            outcome = connect(sock, END)
            record.did(f"bind({show(END)}), connect({show(END)}): {outcome}")
            ends = sock.getsockname(), sock.getpeername()
            record.did(f"getsockname(): {show(ends[0])}, getpeername(): {show(ends[1])}")
            entries = record.look("connected")
            sock.sendall(LOVE.encode())
            heard = hear(sock, len(LOVE)).decode()
            record.did(f"send({LOVE!r}), recv(): {heard!r}")
        closed = record.look("after close()")
        record.settle()
        scene = record.scene([Lane("the socket", show(END), ROOM)], quotes=[LOVE])
    return Report(
        name="one-socket",
        title=TITLE,
        claim=CLAIM,
        scenes=(scene,),
        checks=(
            Check("connect() succeeds", f"connect(): {outcome}", outcome == "0"),
            Check("it hears what it says", repr(heard), heard == LOVE),
            *_alone(scene, entries, closed),
        ),
        lesson=LESSON,
    )


def _alone(scene: Scene, entries: Sequence[Entry], closed: Sequence[Entry]) -> list[Check]:
    """Check that there is one socket, from its first SYN to its last state."""
    opening = [flight.flags for flight in scene.ladder.flights][:2]
    loops = {flight.flow for flight in scene.ladder.flights}
    states = scene.ladder.states(0)
    return [
        Check(
            "there is one socket, whose two ends are the same",
            ", ".join(f"{show(e.local)} ⇄ {show(e.remote)} {e.state}" for e in entries),
            [(e.flow, e.state) for e in entries] == [((END, END), "ESTABLISHED")],
        ),
        Check(
            "its SYN, and then its SYN·ACK, come back to it",
            ", ".join(opening),
            opening == ["SYN", "SYN·ACK"] and loops == {(END, END)},
        ),
        Check(
            "it hangs up on itself: CLOSING, then TIME-WAIT",
            f"{' → '.join(states)}; afterwards the kernel shows "
            + (", ".join(entry.state for entry in closed) or "nothing"),
            states[-3:] == ["FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
            and [entry.state for entry in closed] == ["TIME-WAIT"],
        ),
    ]

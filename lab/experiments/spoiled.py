"""Why guides on security dislike simultaneous open, and what midair does about it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from lab.diagram.ladder import Lane
from lab.diagram.model import Kind
from lab.experiments import kernel
from lab.experiments.calls import connect, result, show
from lab.experiments.forge import send_syn
from lab.experiments.record import Recorder
from lab.experiments.relay import INTERFACE, Relay, address
from lab.experiments.report import Check, Report, Scene
from lab.experiments.room import Room
from lab.experiments.spoiled_midair import against
from lab.experiments.spoiled_ports import hit
from lab.packets import Endpoint

TITLE = "A third host spoils a connection by guessing a port"
CLAIM = (
    "While a client waits for its server's answer, a third host that guesses the client's port "
    "can send a SYN in the server's name: the client takes it for the other half of a simultaneous "
    "open and never reaches the server. From its own address, or to another port, it does nothing. "
    "midair's ports are unpredictable, and it calls nobody who does not have the code."
)
LESSON = (
    "TCP lets a SYN change a client's mind (simultaneous open), and nothing in a SYN proves who "
    "sent it. So the client answers the forged SYN, contradicts the true server, and is reset by "
    "it. The forger gains no connection, only the client's loss: it must know both addresses, "
    "both ports and the moment. What is left to the client is not to be guessed: ports drawn at "
    "random, fresh ones each time, several at once, and another shot after a refusal. And since "
    "“connected” never says with whom, midair's two ends prove their code before the first SYN, "
    "and again on what is open."
)
CLIENT, SERVER, THIRD = "client", "server", "third host"
DELAY_S = 0.02
LISTENING: Endpoint = (address(2), 8443)
FORGED_SEQUENCE = 7000
PORT = 5001
"""The client's, given away to the third host or not."""
Played = tuple[Scene, list[Check]]


def run() -> Report:
    """Run the experiment."""
    found = [
        _play(_stranger),
        _play(partial(_forged, guess=PORT)),
        _play(partial(_forged, guess=PORT + 1)),
    ]
    with Room(CLIENT) as room:
        first, last = kernel.ephemeral_range(room)
    found += [hit(), against((first, last))]
    return Report(
        name="spoiled",
        title=TITLE,
        claim=CLAIM,
        scenes=tuple(scene for scene, _ in found),
        checks=tuple(check for _, checks in found for check in checks),
        lesson=LESSON,
        measures={"ports_to_guess_from": last - first + 1},
    )


def _play(scene: Callable[[Relay], Played]) -> Played:
    """Give a scene a network of its own, with a server."""
    with Relay((CLIENT, SERVER, THIRD), delay_s=DELAY_S) as relay, ExitStack() as stack:
        listener = stack.enter_context(relay.rooms[SERVER].socket())
        listener.bind(LISTENING)
        listener.listen()
        return scene(relay)


def _stranger(relay: Relay) -> Played:
    """Let the third host call the client's port in its own name."""
    rooms, end = relay.rooms, (address(1), PORT)
    with (
        Recorder("In its own name", rooms, INTERFACE) as record,
        rooms[CLIENT].socket() as client,
        rooms[THIRD].socket() as third,
    ):
        client.bind(end)
        with relay.holding():
            for sock, target in ((client, LISTENING), (third, end)):
                sock.setblocking(False)
                connect(sock, target)
        told, refused = result(client), result(third)
        record.note(1, f"connect(): {told}")
        record.note(0, f"connect(): {refused}", failed=True)
        record.did(
            f"the client: connect({show(LISTENING)}) from {show(end)}; at the same time the third "
            f"host: connect({show(end)}); the client is told {told}, the third host {refused}"
        )
        record.settle()
        scene = record.scene(_lanes(end), pictured=False)
    return scene, [
        Check(
            "a stranger's SYN in its own name is refused, and the client reaches its server",
            f"client: {told}, third host: {refused}",
            told == "0" and refused == "ECONNREFUSED",
        )
    ]


def _forged(relay: Relay, *, guess: int) -> Played:
    """Let the third host call a port of the client's in the server's name."""
    rooms, end, right = relay.rooms, (address(1), PORT), guess == PORT
    title = f"In the server's name, to the {'right' if right else 'wrong'} port"
    with Recorder(title, rooms, INTERFACE) as record, rooms[CLIENT].socket() as client:
        client.bind(end)
        client.setblocking(False)
        forged = {"source": LISTENING, "target": (end[0], guess)}
        with relay.holding():
            connect(client, LISTENING)
            send_syn(rooms[THIRD], **forged, sequence=FORGED_SEQUENCE)
        told = result(client)
        record.note(1, f"connect(): {told}", failed=told != "0")
        record.did(
            f"the client: connect({show(LISTENING)}) from {show(end)}; at the same time the third "
            f"host sends a SYN from “{show(LISTENING)}” to port {guess}: the client is told {told}"
        )
        record.settle()
        served = [
            entry.state
            for entry in record.look("afterwards")
            if entry.room == SERVER and entry.remote == end
        ]
        scene = record.scene(_lanes(end, SERVER), pictured=right)
    states = scene.ladder.states(1)
    seen = (
        f"{' → '.join(states)}; connect(): {told}; at the server {', '.join(served) or 'nothing'}"
    )
    reached = told == "0" and "ESTABLISHED" in served
    if right:
        return scene, _spoilt(scene, seen, reached)
    return scene, [
        Check(
            f"a forged SYN to another port ({guess} for {PORT}) changes nothing",
            seen,
            reached and states == ["SYN-SENT", "ESTABLISHED"],
        )
    ]


def _spoilt(scene: Scene, seen: str, reached: bool) -> list[Check]:
    """Check what the forged SYN did to the client."""
    states = scene.ladder.states(1)
    resets = [f for f in scene.ladder.flights if f.kind is Kind.RST and f.source == 2]
    return [
        Check(
            "the client takes the forged SYN for the other half of a simultaneous open",
            ", ".join(f.label for f in scene.ladder.flights if f.source == 1),
            states[:2] == ["SYN-SENT", "SYN-RECEIVED"]
            and any(f.source == 1 and f.kind is Kind.SYN_ACK for f in scene.ladder.flights),
        ),
        Check(
            "and never reaches its server, which listens and has answered: the server resets it",
            f"{seen}; {len(resets)} RST by the server",
            not reached and bool(resets) and "CLOSED" in states,
        ),
    ]


def _lanes(client: Endpoint, poses_as: str = "") -> list[Lane]:
    return [
        Lane(THIRD, address(3), THIRD, poses_as=poses_as, states=False),
        Lane(CLIENT, show(client), CLIENT),
        Lane(SERVER, show(LISTENING), SERVER, states=False),
    ]

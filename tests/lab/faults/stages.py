"""The stages of a session, each reached with certainty: peer a is there, peer b is behind."""

from __future__ import annotations

import signal
from typing import Literal, get_args

from lab.capture import Capture
from lab.topology import ADDRESSES, RENDEZVOUS_IPV4, Side
from tests.lab.faults.play import Play

Stage = Literal["waiting", "learning", "reported", "volley", "connected"]
STAGES: tuple[Stage, ...] = get_args(Stage)
LATE_MS = 1500.0
"""So much later peer b fires, where peer a is to be met in its volley."""


WORD = b"there\n"
"""What each says to the other in :func:`talk`."""


def environment(stage: Stage) -> dict[Side, dict[str, str]]:
    """Return what the peers' environments need so that a stage lasts."""
    return {"b": {"MIDAIR_TEST_SKEW_MS": f"{LATE_MS:g}"}} if stage == "volley" else {}


def reach(play: Play, stage: Stage) -> None:
    """Bring peer a to a stage; peer b comes when :func:`go_on` is called."""
    rendezvous = play.scenario.world.space("rendezvous")
    with Capture(rendezvous) as arriving:
        play.listen()
        # With it comes what the partner needs to agree on a key.
        play.until_true(lambda: has_arrived(arriving, b"/wait "))
        if stage == "waiting":
            return
        play.join()
        if stage in ("learning", "reported"):
            # Halted there, b hands in no report: no appointment is made, however slow a is.
            play.until("b", "paired")
            play.signal("b", signal.SIGSTOP)
        play.until("a", "paired")
        if stage == "reported":
            play.until_true(lambda: has_reported(arriving))
    if stage == "volley":
        play.until("a", "appointment")
        play.until_true(lambda: has_fired(play))
    if stage == "connected":
        talk(play)


def talk(play: Play) -> None:
    """Let both peers hear a word of the other's, so that nothing is unread when one goes."""
    for seat in play.seats.values():
        seat.write(WORD)
    for seat in play.seats.values():
        assert seat.await_output(play.deadline), "a word was never heard"


def has_reported(arriving: Capture) -> bool:
    """Tell whether a report has arrived at the rendezvous."""
    return has_arrived(arriving, b'"report":')


def has_fired(play: Play) -> bool:
    """Tell whether peer a's first SYN to its partner has left."""
    return any(
        packet.direction == "out" and packet.destination == ADDRESSES["b"].wan
        for packet in play.scenario.packets("a")
    )


def has_arrived(arriving: Capture, words: bytes) -> bool:
    """Tell whether a segment with these words has arrived at the rendezvous."""
    return any(
        packet.direction == "in" and packet.destination == RENDEZVOUS_IPV4 and words in packet.raw
        for packet in arriving.packets()
    )


def go_on(play: Play, stage: Stage) -> None:
    """Let peer b go on, or begin."""
    if stage == "waiting":
        play.join()
    elif stage in ("learning", "reported"):
        play.signal("b", signal.SIGCONT)

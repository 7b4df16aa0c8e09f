"""How near to the appointed instant a volley's SYNs leave, by the kernel's time of the packets.

Whole sessions of the real programs, on this host: a guest with one processor would measure itself.
The clocks are right here, so that a peer's own correction is all that lies between an appointed
instant and the time that a capture gives a packet. How right that correction is, the section
``clock`` measures; here it is how well a peer aims at the instant that it believes in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from lab.bench import stage
from lab.bench.batch import Progress, Step
from lab.bench.figures import counted, spread
from lab.facts import facts
from lab.options import LabOptions
from lab.packets import Endpoint
from lab.scenario import SessionRun
from lab.topology import SIDES, Side, WorldSpec

VOLLEYS = 200
MEDIAN_US = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Volley:
    """The first shots of one peer's first attempt, as the capture saw them."""

    first_us: float
    """The first SYN's time, less the instant; negative: it left early."""
    span_us: float
    """From the first SYN to the last pair's first SYN."""
    told_us: int
    """The first shot's time less the instant, as the peer says: before it calls connect()."""
    pairs: int
    """How many of the appointed pairs have fired."""


def volley(run: SessionRun, side: Side) -> Volley | None:
    """Read one peer's first volley.

    Args:
        run: a session whose peers' clocks are right.
        side: the peer.

    Returns:
        None where there was no appointment, or no pair fired.
    """
    said = run.peers[side].events
    appointment = next((event for event in said if event["event"] == "appointment"), None)
    told = [event["fire_error_us"] for event in said if event["event"] == "shot"]
    if appointment is None or not told:
        return None
    pairs = {(int(local.removeprefix(":")), remote) for local, remote in appointment["pairs"]}
    first_of: dict[tuple[int, str], int] = {}
    for packet in stage.syns(run, side):
        assert packet.tcp is not None
        pair = packet.tcp.source[1], _text(packet.tcp.destination)
        if pair in pairs:
            first_of.setdefault(pair, packet.t_ns)
    if not first_of:
        return None
    # offset = server - local: the same instant by this peer's clock, which is the kernel's.
    instant_us = appointment["instant_us"] - appointment["offset_us"]
    first, last = min(first_of.values()), max(first_of.values())
    return Volley(
        first_us=(first - instant_us * 1000) / 1000,
        span_us=(last - first) / 1000,
        told_us=min(told),
        pairs=len(first_of),
    )


def _text(endpoint: Endpoint) -> str:
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def aim() -> Iterator[Step]:
    """200 volleys, two in each session."""
    sessions = VOLLEYS // len(SIDES)
    volleys: list[Volley] = []
    connected: list[bool] = []
    options = LabOptions(world=WorldSpec())
    with stage.staged(options) as scenario:
        stage.pin_apart(scenario.world)
        for number in range(1, sessions + 1):
            run = scenario.run()
            fired = [found for side in SIDES if (found := volley(run, side)) is not None]
            volleys += fired
            row = facts(run, options)
            connected.append(row.connected)
            yield Progress(
                section="aim",
                what="sessions without delay",
                run=number,
                runs=sessions,
                facts={
                    **dataclasses.asdict(row),
                    "volleys": [dataclasses.asdict(one) for one in fired],
                },
                events={} if row.connected else {s: p.events for s, p in run.peers.items()},
            )
    yield counted("aim", "sessions connected", connected, at_least=sessions)
    yield counted("aim", "volleys of four", [one.pairs == 4 for one in volleys], at_least=VOLLEYS)
    yield spread(
        "aim",
        "the first SYN of a volley off its instant",
        [abs(one.first_us) for one in volleys],
        unit="µs",
        statistic="median",
        at_most=MEDIAN_US,
    )
    yield spread(
        "aim", "… by the peer's own word", [float(one.told_us) for one in volleys], unit="µs"
    )
    yield spread("aim", "the last SYN after the first", [one.span_us for one in volleys], unit="µs")

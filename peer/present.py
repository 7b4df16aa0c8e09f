"""Show trace events: a few lines for a person, or one JSON object a line for a program.

Both go to standard error: standard output carries the user's bytes only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TextIO

from peer.core.countdown import clock_face
from peer.core.times import MonoNs
from peer.core.trace import (
    Appointed,
    Asking,
    ClockLearned,
    Closed,
    CodeMade,
    Connected,
    Failed,
    FilesDone,
    FilesOffered,
    Forwarded,
    Forwarding,
    MappingLearned,
    MeetingSet,
    Missed,
    Paired,
    Relaying,
    TraceEvent,
    Waiting,
    Warned,
)
from peer.core.units import data_size, duration, offset
from rendezvous.protocol.times import NS_PER_MS, US_PER_S

US_PER_MS = 1_000

Present = Callable[[TraceEvent], None]
DIRECT = "direct"
"""The path of a connection that two crossing SYNs made."""
LONG_WAIT_US = 60 * US_PER_S
"""From here on a wait is told as a clock shows it."""


def json_lines(out: TextIO, now: Callable[[], MonoNs], started_at: MonoNs) -> Present:
    """Make a presenter that writes one JSON object a line.

    Args:
        out: where to.
        now: the monotonic clock.
        started_at: what ``t_ms`` counts from.

    Returns:
        A function that takes events.
    """

    def present(event: TraceEvent) -> None:
        t_ms = round((now() - started_at) / NS_PER_MS, 3)
        line = {"event": event.event, "t_ms": t_ms, **event.fields()}
        out.write(json.dumps(line, ensure_ascii=False) + "\n")
        out.flush()

    return present


def for_people(out: TextIO) -> Present:
    """Make a presenter that writes a few lines for a person.

    Args:
        out: where to.

    Returns:
        A function that takes events.
    """

    path = ""

    def present(event: TraceEvent) -> None:
        nonlocal path
        text = sentence(event)
        if isinstance(event, Connected):
            path = event.path
        elif path and isinstance(event, Closed | FilesDone):
            text += f", {path}"  # also for who saw only the end
        if text:
            out.write(f"midair: {text}\n")
            out.flush()

    return present


def sentence(event: TraceEvent) -> str:
    """Say an event in a line.

    Args:
        event: any event.

    Returns:
        The line; empty for events that people need not see.
    """
    match event:
        case CodeMade():
            return (
                f"your code is {event.code}\nmidair: on the other host run\n\n    {event.command}\n"
            )
        case Waiting(nameplate):
            return f"waiting for your partner at nameplate {nameplate} …"
        case Paired():
            return "your partner is there; measuring clock and NAT …"
        case ClockLearned():
            return _clock(event)
        case MappingLearned():
            return _mapping(event)
        case MeetingSet():
            return _meeting(event)
        case Appointed(role=None):
            return ""  # a meeting, which was told before it was waited for
        case Appointed():
            when = (
                f"late by {duration(event.late_us)}"
                if event.late_us
                else (f"in {duration(event.lead_us)}")
            )
            return f"appointment {event.attempt}: {len(event.pairs)} SYNs {when}"
        case Missed():
            return f"attempt {event.attempt} missed: {event.reason.replace('_', ' ')}"
        case Relaying():
            return _relaying(event)
        case Connected():
            return _connected(event)
        case Closed(sent, received, reason):
            ending = "" if reason == "done" else f" ({reason})"
            return f"closed{ending}: sent {data_size(sent)}, received {data_size(received)}"
        case FilesOffered():
            return _offered(event)
        case Asking():
            return "waiting for your partner to accept …"
        case FilesDone():
            return _done(event)
        case Forwarding():
            return _forwarding(event)
        case Forwarded(place, _, _, reason):
            return "" if reason == "done" else f"a connection to {place}: {reason}"
        case Failed(_, message, hint):
            return f"{message}\nmidair: {hint}" if hint else message
        case Warned(message):
            return message
        case _:
            return ""


def _clock(event: ClockLearned) -> str:
    best, source = (event.ntp, "NTP") if event.ntp else (event.rendezvous, "the rendezvous")
    assert best is not None
    error_us, bound_us = best["offset_us"], best["bound_us"]
    assert isinstance(error_us, int)
    assert isinstance(bound_us, int)
    # offset = server - local: a clock that is behind has a positive one.
    side = "behind" if error_us > 0 else "ahead"
    return f"this clock is {offset(abs(error_us))} {side} (± {duration(bound_us)}, by {source})"


def _meeting(event: MeetingSet) -> str:
    if event.wait_us < 0:
        return f"meeting {event.host} at {event.at}: joining it {duration(-event.wait_us)} late"
    long = event.wait_us >= LONG_WAIT_US
    wait = clock_face(event.wait_us // US_PER_S) if long else duration(event.wait_us)
    return f"meeting {event.host} at {event.at}, in {wait}"


def _mapping(event: MappingLearned) -> str:
    seen = ", ".join(sorted({text.rpartition(":")[0] for text in event.srflx}))
    if not event.srflx:
        return "no reflector could say how this host is seen from outside"
    if set(event.srflx) <= set(event.local):
        return f"seen from outside as {seen}: no NAT"
    kept = {True: ", ports kept", False: ", ports changed", None: ""}[event.preserves_port]
    return f"seen from outside as {seen}: NAT, {event.mapping.replace('_', '-')}{kept}"


def _forwarding(event: Forwarding) -> str:
    where = ", ".join(event.places)
    if event.side == "takes":
        return f"listening at {where} for your partner's target"
    return f"your partner can reach {where or 'what --allow names'}"


def _relaying(event: Relaying) -> str:
    limits = []
    if event.octets is not None:
        limits.append(f"at most {data_size(event.octets)}")
    if event.octets_per_s is not None:
        limits.append(f"at most {data_size(event.octets_per_s)}/s")
    told = f" ({', '.join(limits)})" if limits else ""
    way = f"going over the relay at {' '.join(event.places)}{told}, which sees how much, not what"
    return "\nmidair: ".join(text for text in (event.message, event.hint, way) if text)


def _connected(event: Connected) -> str:
    """Tell the path: this line is the one that people look for."""
    shot = "first shot" if event.first_shot else f"shot {event.winner_shots}"
    way = f" {event.local} ⇄ {event.remote}, {shot}" if event.path == DIRECT else ""
    proven = "" if event.authenticated else ", NOT AUTHENTICATED"
    return f"{event.path}{way}, {duration(event.rtt_us)}{proven}"


def _offered(event: FilesOffered) -> str:
    told = ", ".join(event.names)
    more = event.files + event.folders - len(event.names)
    rest = f" and {more:,} more" if more else ""
    return f"{_counted(event)}, {data_size(event.size)}: {told}{rest}"


def _done(event: FilesDone) -> str:
    elapsed_us = max(1, round(event.elapsed_ms * US_PER_MS))
    rate = data_size(event.transferred * US_PER_S // elapsed_us)
    there = event.size - event.transferred
    kept = f" ({data_size(there)} of it was there already)" if there else ""
    return (
        f"{event.direction} {_counted(event)}, {data_size(event.size)}{kept} "
        f"in {duration(elapsed_us)}, {rate}/s"
    )


def _counted(event: FilesOffered | FilesDone) -> str:
    files = f"{event.files:,} file" + ("" if event.files == 1 else "s")
    folders = f"{event.folders:,} folder" + ("" if event.folders == 1 else "s")
    return f"{files} in {folders}" if event.folders else files

"""What a person reads and what a program reads of the same events."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from peer.core.times import MonoNs
from peer.core.trace import (
    Appointed,
    Asking,
    ClockLearned,
    Closed,
    CodeMade,
    Connected,
    Failed,
    MappingLearned,
    MeetingSet,
    Missed,
    Paired,
    Relaying,
    ShotFired,
    TraceEvent,
    VolleyDone,
)
from peer.present import for_people, json_lines, sentence

RENDEZVOUS: dict[str, object] = {"offset_us": -41_000_000, "bound_us": 20_300, "rtt_us": 40_600}
NTP: dict[str, object] = {
    "offset_us": 3_700_000,
    "bound_us": 850,
    "servers": ["192.0.2.21"],
    "falsetickers": [],
}
APPOINTED = Appointed(
    attempt=1,
    role="initiator",
    timescale="utc",
    instant_us=1_700_000_000_000_000,
    lead_us=185_400,
    late_us=0,
    offset_us=3_700_000,
    bound_us=850,
    pairs=[(":11265", "203.0.113.2:12762")],
)
MEETING = MeetingSet(
    number=1,
    host="203.0.113.2",
    by="time",
    at="2026-11-20T22:14:30+08:00",
    instant_us=1_795_184_070_000_000,
    wait_us=42_300_000,
    bound_us=10_200,
    authenticated=False,
    ports=(1314,),
)
CONNECTED = Connected(
    local="10.1.0.2:11265",
    remote="203.0.113.2:12762",
    path="direct",
    role="initiator",
    attempt=1,
    pair=0,
    first_shot=True,
    skew_us=-412,
    shots=4,
    refusals=0,
    winner_shots=1,
    sync_margin_us=18_300,
    fire_error_us=12,
    rtt_us=40_300,
    timescale="utc",
    offset_us=3_700_000,
    bound_us=850,
    since_report_ms=205.4,
    elapsed_ms=640.2,
)
MAPPING = MappingLearned(
    mapping="endpoint_independent",
    preserves_port=True,
    local=["10.1.0.2:11265"],
    srflx=["198.51.100.2:11265", "198.51.100.2:11266"],
    host=["10.1.0.2:11265"],
)
LINES: list[tuple[TraceEvent, str]] = [
    (Paired("a"), "your partner is there; measuring clock and NAT …"),
    (ClockLearned(NTP, RENDEZVOUS), "this clock is 3.700 s behind (± 850 µs, by NTP)"),
    (
        ClockLearned(None, RENDEZVOUS),
        "this clock is 41.000 s ahead (± 20.3 ms, by the rendezvous)",
    ),
    (MAPPING, "seen from outside as 198.51.100.2: NAT, endpoint-independent, ports kept"),
    (
        replace(MAPPING, srflx=[], preserves_port=None, mapping="unknown"),
        "no reflector could say how this host is seen from outside",
    ),
    (APPOINTED, "appointment 1: 1 SYNs in 185 ms"),
    (replace(APPOINTED, lead_us=0, late_us=900), "appointment 1: 1 SYNs late by 900 µs"),
    (replace(APPOINTED, role=None), ""),
    (MEETING, "meeting 203.0.113.2 at 2026-11-20T22:14:30+08:00, in 42.3 s"),
    (
        replace(MEETING, wait_us=3_723_900_000),
        "meeting 203.0.113.2 at 2026-11-20T22:14:30+08:00, in 1:02:03",
    ),
    (
        replace(MEETING, wait_us=-1_250_000),
        "meeting 203.0.113.2 at 2026-11-20T22:14:30+08:00: joining it 1.25 s late",
    ),
    (Missed(1, "refused_early"), "attempt 1 missed: refused early"),
    (
        CONNECTED,
        "direct 10.1.0.2:11265 ⇄ 203.0.113.2:12762, first shot, 40.3 ms",
    ),
    (
        replace(CONNECTED, first_shot=False, winner_shots=3),
        "direct 10.1.0.2:11265 ⇄ 203.0.113.2:12762, shot 3, 40.3 ms",
    ),
    (replace(CONNECTED, path="relay"), "relay, 40.3 ms"),
    (Asking(), "waiting for your partner to accept …"),
    (Closed(3, 1_500, "done"), "closed: sent 3 B, received 1.50 kB"),
    (Closed(3, 0, "it broke"), "closed (it broke): sent 3 B, received 0 B"),
    (Failed("silent", "no path", "Try again", 5), "no path\nmidair: Try again"),
    (Failed("interrupted", "stopped", "", 130), "stopped"),
    (ShotFired(1, 0, 1, 5, 5, 12), ""),
    (VolleyDone(1, 4, 0), ""),
]
KEYS: dict[TraceEvent, str] = {
    CodeMade("42-x", "midair connect 42-x"): "code command",
    Paired("a"): "seat",
    VolleyDone(1, 4, 0): "attempt shots refusals",
    ShotFired(1, 0, 1, 5, 5, 12): "attempt pair shot at_us local_us fire_error_us",
    Missed(1, "silent"): "attempt reason",
    MEETING: "number host by at instant_us wait_us bound_us authenticated ports",
    Closed(3, 4, "done"): "sent received reason",
    Failed("silent", "no path", "Try again", 5): "verdict message hint exit",
    CONNECTED: (
        "local remote path role attempt pair first_shot skew_us shots refusals winner_shots "
        "sync_margin_us fire_error_us rtt_us timescale offset_us bound_us since_report_ms "
        "elapsed_ms encrypted authenticated"
    ),
}


@pytest.mark.parametrize(("event", "line"), LINES, ids=lambda value: type(value).__name__)
def test_sentence_when_said_is_this(event: TraceEvent, line: str) -> None:
    assert sentence(event) == line


def test_code_when_shown_stands_alone_on_its_line() -> None:
    lines = sentence(CodeMade("42-x", "midair connect 42-x --rendezvous U")).splitlines()

    assert "your code is 42-x" in lines
    assert "    midair connect 42-x --rendezvous U" in lines


def test_for_people_when_there_is_nothing_to_say_writes_nothing() -> None:
    out = io.StringIO()
    present = for_people(out)
    present(VolleyDone(1, 4, 0))
    present(Paired("a"))

    assert out.getvalue() == "midair: your partner is there; measuring clock and NAT …\n"


def test_for_people_the_last_line_tells_the_path_again() -> None:
    out = io.StringIO()
    present = for_people(out)
    present(CONNECTED)
    present(Closed(3, 0, "done"))

    assert out.getvalue().splitlines()[-1] == "midair: closed: sent 3 B, received 0 B, direct"


@pytest.mark.parametrize(("event", "keys"), KEYS.items(), ids=lambda v: type(v).__name__)
def test_json_line_when_written_has_these_keys_and_one_line(event: TraceEvent, keys: str) -> None:
    out = io.StringIO()
    json_lines(out, lambda: MonoNs(3_141_592), MonoNs(1_000_000))(event)

    assert out.getvalue().count("\n") == 1
    line = json.loads(out.getvalue())
    assert list(line) == ["event", "t_ms", *keys.split()]
    assert (line["event"], line["t_ms"]) == (event.event, 2.142)


def test_json_line_when_values_are_nested_keeps_their_shape() -> None:
    out = io.StringIO()
    present = json_lines(out, lambda: MonoNs(0), MonoNs(0))
    for event in (ClockLearned(None, RENDEZVOUS), MAPPING, APPOINTED):
        present(event)
    clock, mapping, appointment = map(json.loads, out.getvalue().splitlines())

    assert (clock["ntp"], clock["rendezvous"]) == (None, RENDEZVOUS)
    assert mapping["srflx"] == MAPPING.srflx
    assert appointment["pairs"] == [[":11265", "203.0.113.2:12762"]]


def test_relay_is_told_with_the_verdict_of_the_failed_punch() -> None:
    tried = Relaying(
        places=["192.0.2.10:8083"],
        verdict="silent",
        message="no path: no SYN was answered in any way",
        hint="Try from another network",
        octets=None,
        octets_per_s=None,
    )
    assert sentence(tried) == (
        "no path: no SYN was answered in any way\n"
        "midair: Try from another network\n"
        "midair: going over the relay at 192.0.2.10:8083, which sees how much, not what"
    )


def test_relay_that_was_wanted_is_told_with_its_limits_and_no_verdict() -> None:
    wanted = Relaying(
        places=["192.0.2.10:8083"],
        verdict="",
        message="",
        hint="",
        octets=1_000_000_000,
        octets_per_s=2_000_000,
    )
    assert sentence(wanted) == (
        "going over the relay at 192.0.2.10:8083 (at most 1.00 GB, at most 2.00 MB/s), "
        "which sees how much, not what"
    )

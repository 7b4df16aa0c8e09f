"""Facts of sessions and their summaries."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lab.facts import Facts, facts, nearest_rank, spread, summarise
from lab.options import LabOptions
from lab.run_command import describe
from lab.scenario import SessionRun
from lab.seat import Event, PeerRun, parse_events
from lab.topology import WorldSpec

GOOD = Facts(
    connected=True,
    exit_codes=(0, 0),
    verdict=None,
    first_shot=True,
    crossed=True,
    attempts=1,
    timescale="utc",
    since_report_ms=240.0,
    elapsed_ms=900.0,
    after_later_ms=40.2,
    skew_ms=0.5,
    shots=8,
    refusals=0,
    clock_difference_ms=0.1,
    within_bounds=True,
)
BAD = Facts(
    connected=False,
    exit_codes=(5, 5),
    verdict="mapping",
    first_shot=None,
    crossed=False,
    attempts=3,
    timescale=None,
    since_report_ms=None,
    elapsed_ms=None,
    after_later_ms=None,
    skew_ms=None,
    shots=None,
    refusals=None,
    clock_difference_ms=None,
    within_bounds=None,
)


def peer(*events: Event, exit_code: int = 0) -> PeerRun:
    return PeerRun(exit_code=exit_code, events=events, received=b"", noise="")


def appointment(offset_us: int, bound_us: int) -> Event:
    event = {"event": "appointment", "timescale": "utc"}
    return {**event, "offset_us": offset_us, "bound_us": bound_us}


def connected(elapsed_ms: float, since_report_ms: float) -> Event:
    times = {"elapsed_ms": elapsed_ms, "since_report_ms": since_report_ms}
    counts = {"shots": 4, "refusals": 1, "first_shot": True, "timescale": "utc"}
    return {"event": "connected", **times, **counts}


def session(a: PeerRun, b: PeerRun) -> SessionRun:
    return SessionRun(peers={"a": a, "b": b}, packets={"a": (), "b": ()}, lost_packets=0)


OPTIONS = LabOptions(world=WorldSpec(), clock_a_s=3.7, clock_b_s=-41)


def test_facts_of_a_connected_session_come_from_both_peers() -> None:
    a = peer(appointment(-3_700_100, 200), connected(2000, 250))
    b = peer(appointment(41_000_050, 40), connected(900, 240))
    row = facts(session(a, b), OPTIONS)
    assert row.connected
    assert (row.since_report_ms, row.elapsed_ms) == (250, 900)
    assert (row.shots, row.refusals) == (8, 2)
    # Corrected, a is 100 µs behind the truth and b 50 µs ahead of it, past its bound of 40.
    assert row.clock_difference_ms == 0.15
    assert row.within_bounds is False


def test_facts_by_the_rendezvous_compare_with_its_wrong_clock() -> None:
    options = replace(OPTIONS, rendezvous_clock_s=3600)
    events = [
        {**appointment(offset_us, 100), "timescale": "rendezvous"}
        for offset_us in (3_596_300_060, 3_641_000_000)
    ]
    row = facts(session(*(peer(event) for event in events)), options)
    assert row.clock_difference_ms == 0.06
    assert row.within_bounds is True


def test_facts_of_a_failed_session_name_the_verdict() -> None:
    failed = {"event": "failed", "verdict": "random_ports"}
    row = facts(session(peer(failed, exit_code=5), peer(exit_code=137)), OPTIONS)
    assert not row.connected
    assert row.exit_codes == (5, 137)
    assert row.verdict == "random_ports"
    assert row.first_shot is None
    assert row.clock_difference_ms is None


def test_session_is_not_connected_when_a_peer_ends_badly_afterwards() -> None:
    assert not session(peer(connected(1, 1)), peer(connected(1, 1), exit_code=1)).connected


def test_summary_counts_and_spreads() -> None:
    summary = summarise([GOOD, replace(GOOD, first_shot=False, skew_ms=1.5), BAD])
    assert (summary["sessions"], summary["connected"], summary["first_shot"]) == (3, 2, 1)
    assert (summary["crossed"], summary["outside_bounds"]) == (2, 0)
    assert summary["verdicts"] == {"mapping": 1}
    assert summary["skew_ms"] == {"min": 0.5, "median": 1.0, "p95": 1.5, "max": 1.5}


def test_summary_of_failures_only_has_no_measures() -> None:
    assert summarise([BAD])["skew_ms"] is None


def test_describe_says_what_came_of_it() -> None:
    assert describe(GOOD) == (
        "connected by the first shot, SYNs crossed, 240.0 ms after the second report, skew 0.50 ms"
    )
    assert describe(BAD) == "not connected: mapping, exit 5 and 5"


def test_nearest_rank_of_twenty_is_the_nineteenth() -> None:
    assert nearest_rank(range(1, 21), 95) == 19


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_spread_is_in_order(values: list[float]) -> None:
    row = spread(values)
    assert row["min"] <= row["median"] <= row["max"]
    assert row["min"] <= row["p95"] <= row["max"]


def test_parse_events_keeps_noise_apart_and_waits_for_the_end_of_a_line() -> None:
    events, noise = parse_events(b'{"event": "code"}\nTraceback\n[1]\n{"event": "pai')
    assert events == [{"event": "code"}]
    assert noise == "Traceback\n[1]"


@given(st.binary(max_size=100))
def test_parse_events_of_arbitrary_bytes_never_raises(text: bytes) -> None:
    parse_events(text)

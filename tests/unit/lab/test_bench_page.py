"""The benchmark's page: what was to be expected, what is taken out of a report, what is written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.bench.__main__ import ALL
from lab.bench.figures import counted, spread
from lab.bench.page import markdown, physics, series, tables
from lab.bench.page.reading import READINGS
from lab.bench.report import Measured, Report
from lab.topology import Answer

GOLDEN = Path(__file__).with_name("golden") / "bench.json"
"""Three sessions of each kind, of sections refire and grid, as `make bench` left them in its JSON
on one day; only the peers' own events are taken out."""
D = 20.0
MACHINES = [
    {"guest": guest, "kernel": kernel, "cpu": "X", "processors": 2, "python": "3.11"}
    for guest, kernel in ((False, "6.18"), (True, "6.1"))
]


@pytest.mark.parametrize(
    ("answer", "skew_ms", "both_open_ms"),
    [
        ("rst", 0, 40),
        ("rst", 19.9, 40),
        ("rst", 20, 60),  # the first shot is refused; the second leaves 20 ms after the late SYN
        ("rst", 25, 55),
        ("rst", 40, 40),
        ("rst", 59.9, 40),
        ("rst", 60, 60),
        ("icmp", 25, 55),
        ("drop", 19.9, 40),
        ("drop", 20, 60),
        ("drop", 1500, 60),
    ],
)
def test_both_peers_are_open_when_the_last_packet_that_each_needs_is_there(
    answer: Answer, skew_ms: float, both_open_ms: float
) -> None:
    assert physics.both_open_ms(answer, skew_ms, D) == pytest.approx(both_open_ms)


@given(
    answer=st.sampled_from(["rst", "icmp", "admin", "drop"]),
    skew_ms=st.floats(0, 5000),
    delay_ms=st.floats(0.1, 500),
)
def test_both_peers_are_open_between_two_and_three_delays_after_the_later_syn(
    answer: Answer, skew_ms: float, delay_ms: float
) -> None:
    both = physics.both_open_ms(answer, skew_ms, delay_ms)
    assert 2 * delay_ms <= both <= 3 * delay_ms * (1 + 1e-9)


def test_one_shot_is_enough_while_the_skew_is_below_the_delay_or_nobody_refuses() -> None:
    assert physics.one_shot_suffices("rst", 19.9, D)
    assert not physics.one_shot_suffices("rst", 20.0, D)
    assert physics.one_shot_suffices("drop", 1500.0, D)


def test_interval_of_a_share_is_wilsons() -> None:
    # Newcombe, Stat. Med. 17 (1998), 857-872, table I, method 3: 81 of 263, 15 of 148, 0 of 20.
    assert physics.interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert physics.interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert physics.interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def session(section: str, connected: bool = True, **values: object) -> dict[str, object]:
    """Make a session; what is no condition is one of its facts."""
    names = ("answer", "skew", "delay_ms", "loss_percent")
    conditions = {name: values.pop(name) for name in names if name in values}
    if "skew" in conditions:
        conditions["skew_ms"] = conditions.pop("skew")
    facts = {
        "connected": connected,
        "first_shot": True if connected else None,
        "skew_ms": 0.5,
        "after_later_ms": 41.0 if connected else None,
        "later_open_ms": 40.5 if connected else None,
        "since_report_ms": 250.0 if connected else None,
        **values,
    }
    return {"section": section, "conditions": conditions, "facts": facts}


def test_sessions_are_collected_by_skew_for_one_kind_of_routers() -> None:
    rst: dict[str, Any] = {"answer": "rst", "delay_ms": D}
    sessions = [
        session("refire", **rst, skew=25.0, first_shot=False, after_later_ms=56.0, skew_ms=24.6),
        session("refire", **rst, skew=0.0, skew_ms=0.3),
        session("refire", **rst, skew=25.0, connected=False, skew_ms=None),
        session("refire", answer="drop", delay_ms=D, skew=0.0),
        session("near", answer="rst", delay_ms=0.0, skew=0.0),
        session("grid", answer="rst", delay_ms=D, loss_percent=0.0),
    ]
    early, late = series.by_skew(sessions, "rst")
    assert (early.at_ms, early.runs, early.connected, early.first_shot) == (0.0, 1, 1, 1)
    assert (late.at_ms, late.runs, late.connected, late.first_shot) == (25.0, 2, 1, 0)
    assert late.samples == (series.Sample(skew_ms=24.6, both_open_ms=56.0, first_shot=False),)
    assert (late.both_open_ms, late.later_open_ms) == ((56.0,), (40.5,))


def test_sessions_are_collected_by_delay_for_each_loss() -> None:
    sessions = [
        session("grid", answer="rst", delay_ms=1.0, loss_percent=5.0, skew_ms=1.2),
        session("grid", answer="rst", delay_ms=1.0, loss_percent=5.0, skew_ms=0.4),
        session("grid", answer="rst", delay_ms=150.0, loss_percent=0.0),
        session("start"),
    ]
    assert series.losses(sessions) == [0.0, 5.0]
    (near,) = series.by_delay(sessions, 5.0)
    assert (near.at_ms, [sample.skew_ms for sample in near.samples]) == (1.0, [1.2, 0.4])
    assert [cell.at_ms for cell in series.by_delay(sessions, 0.0)] == [150.0]


def test_spread_of_values_is_their_middle_and_nothing_of_none() -> None:
    assert series.spread(float(n) for n in range(1, 101)) == (5.0, 50.5, 95.0)
    assert series.spread([]) is None


def test_compact_table_when_sessions_are_of_several_kinds_has_a_row_for_each() -> None:
    figures = [
        counted("refire", "rst: connected", [True] * 20, at_least=20),
        spread("refire", "rst: to open", [40.0, 41.2345], statistic="p95", at_most=41),
        counted("refire", "drop: connected", [True] * 10, at_least=10),
        counted("refire", "drop: by the first shot", [False] * 10, at_least=None),
    ]
    assert tables.compact(figures) == [
        "|  |  | connected | to open | by the first shot |",
        "|---|---|---:|---:|---:|",
        "| **✗** | rst | 20 of 20 | **40.62, p95 41.23 ms** |  |",
        "| ✓ | drop | 10 of 10 |  | 0 of 10 |",
        "|  | *wanted* | *all* | *p95 ≤ 41 ms* | *–* |",
    ]


def test_compact_table_when_figures_are_of_one_kind_is_none() -> None:
    figures = [spread("speed", f"20 ms: {what}", [1.0]) for what in ("a", "b")]
    assert tables.compact(figures) == []
    assert tables.compact([*figures, spread("speed", "no kind", [1.0])]) == []


def test_full_table_when_words_have_bars_keeps_its_columns() -> None:
    lines = list(tables.full([spread("speed", "a|b", [1.5], at_most=1)]))
    assert lines[2] == (
        "| **✗** | a\\|b | 1 | 1.5 ms | 1.5 ms | 1.5 ms | 1.5 ms | 1.5 ms | max ≤ 1 ms |"
    )
    assert {line.replace("\\|", "").count("|") for line in lines} == {10}


def report(*sections: str) -> Report:
    return Report(
        "make bench",
        machines=MACHINES,
        measured=[
            Measured(
                section=name,
                date=f"2026-01-01T1{number}:00+00:00",
                commit="abc",
                load_before=0.25,
                load_most=2.0,
                seconds=90.0,
            )
            for number, name in enumerate(sections)
        ],
        figures=[counted(name, "connected", [True], at_least=1) for name in sections],
    )


def test_page_when_all_is_measured_says_where_and_when_and_how() -> None:
    text = markdown.render(report("near", "refire", "grid"), ["near", "refire", "grid"])
    assert "| measured | 2026-01-01 10:00 to 2026-01-01 12:00 UTC |" in text
    assert "| command | `make bench` |" in text
    assert "| commit | `abc` |" in text
    assert "| host | Linux 6.18, 2 × X, Python 3.11 |" in text
    assert "| guest | Linux 6.1, 2 × X, Python 3.11 |" in text
    assert "0.2 to 0.2 before a section, 2.0 at most" in text
    assert "| result | all 3 wanted values are met |" in text
    assert "Not measured" not in text
    assert text.count(f"]({markdown.SKEW_PICTURE})") == 1
    assert text.count(f"]({markdown.DELAY_PICTURE})") == 1
    assert "*Section `near`: 2026-01-01 10:00 UTC, 1.5 min, load 0.2 before, 2.0 at most.*" in text


def test_page_when_something_is_missing_or_broken_says_so() -> None:
    made = report("near")
    made.broken.append("grid: exit 1")
    text = markdown.render(made, ["near", "refire", "grid"])
    assert "**Not measured:** refire, grid." in text
    assert "**Broken:** grid: exit 1." in text


def test_page_when_nothing_is_measured_can_be_written() -> None:
    assert "| measured | nothing |" in markdown.render(Report("make bench"), ALL)


def test_every_section_has_sentences_on_how_to_read_it() -> None:
    assert [name for name in ALL if name not in READINGS] == []


@pytest.fixture(name="real")
def real_report() -> Report:
    return Report.from_json(json.loads(GOLDEN.read_text()))


@pytest.mark.parametrize("answer", ["rst", "drop"])
def test_measured_sessions_when_compared_with_physics_agree(real: Report, answer: Answer) -> None:
    early, late, latest = series.by_skew(real.sessions, answer)
    for cell in (early, late):
        for sample in cell.samples:
            allowed = physics.both_open_ms(answer, sample.skew_ms, D)
            assert allowed <= sample.both_open_ms < allowed + 5
            assert sample.first_shot is physics.one_shot_suffices(answer, sample.skew_ms, D)
    # Many shots lose a little time each, so where the last one falls cannot be told.
    assert all(2 * D <= time < 3 * D + 5 for time in latest.both_open_ms)
    assert [cell.runs for cell in (early, late, latest)] == [3, 3, 3]


def test_page_of_a_real_run_has_all_its_figures_and_what_is_missing(real: Report) -> None:
    text = markdown.render(real, ["refire", "grid", "speed"])
    assert [figure.what for figure in real.figures if f"| {figure.what} |" not in text] == []
    assert "| ✓ | rst, skew 25 ms | 3 of 3 | 0 of 3 |" in text
    assert "| ✓ | drop, skew 25 ms | 3 of 3 | 3 of 3 |" in text
    assert "**Not measured:** speed." in text
    assert max(map(len, re.findall(r"^[^|].*$", text, re.MULTILINE))) <= 120

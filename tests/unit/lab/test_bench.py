"""Figures of the benchmark: counted, spread, compared, reported, kept."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from lab.bench.__main__ import ALL, main
from lab.bench.clockstep import NotInGuestError, SteppedClock
from lab.bench.figures import Figure, counted, spread
from lab.bench.report import Measured, Report, cells
from lab.bench.run import Runner

MACHINE = {"guest": True, "kernel": "6.1", "cpu": "X [Y]", "processors": 1, "python": "3.11"}


def measured(section: str, *, seconds: float | None = 60.0, commit: str = "abc") -> Measured:
    return Measured(
        section=section,
        date="2026-01-01T10:00+00:00",
        commit=commit,
        load_before=0.5,
        load_most=1.5,
        seconds=seconds,
    )


def test_counted_holds_when_it_is_often_enough() -> None:
    hits = [True] * 49 + [False]
    figure = counted("crossing", "by the first shot", hits, at_least=49)
    assert (figure.count, figure.runs, figure.wanted) == (49, 50, "≥ 49 of 50")
    assert figure.holds
    assert not counted("crossing", "connected", hits, at_least=50).holds


def test_counted_of_no_run_does_not_hold() -> None:
    assert not counted("crossing", "connected", [], at_least=0).holds


def test_counted_of_which_nothing_is_wanted_holds() -> None:
    figure = counted("grid", "by the first shot", [False], at_least=None)
    assert (figure.count, figure.holds, figure.is_wanted) == (0, True, False)


@pytest.mark.parametrize(
    ("statistic", "at_most", "holds"),
    [
        ("median", 3.0, True),
        ("median", 2.9, False),
        ("p95", 100.0, True),
        ("p95", 99.0, False),
        ("max", 100.0, True),
    ],
)
def test_spread_compares_the_statistic_that_is_wanted(
    statistic: str, at_most: float, holds: bool
) -> None:
    values = [1.0, None, 2.0, 3.0, 4.0, 100.0]
    figure = spread("speed", "x", values, statistic=statistic, at_most=at_most)  # type: ignore[arg-type]
    assert (figure.runs, figure.min, figure.median, figure.max) == (5, 1.0, 3.0, 100.0)
    assert figure.holds is holds


def test_spread_compares_with_what_it_is_at_least_wanted_to_be() -> None:
    figure = spread("load", "x", [1.0, 2.0, 3.0], unit="/s", statistic="median", at_least=2)
    assert (figure.wanted, figure.holds) == ("median ≥ 2 /s", True)
    assert not spread("load", "x", [1.0, 1.9], statistic="max", at_least=2).holds
    assert not spread("load", "x", [], at_least=2).holds


def test_spread_has_the_99th_percentile_by_nearest_rank() -> None:
    values = [float(n) for n in range(1, 201)]
    assert spread("aim", "x", values, statistic="p99", at_most=198).holds
    assert not spread("aim", "x", values, statistic="p99", at_most=197).holds


def test_spread_of_nothing_holds_only_if_nothing_is_wanted() -> None:
    assert spread("speed", "x", [None]).holds
    assert not spread("speed", "x", [None], at_most=1).holds


def test_cells_have_a_number_for_each_column() -> None:
    assert cells(counted("a", "b", [True], at_least=1)) == ["1", "", "1 of 1", "", "", ""]
    assert cells(spread("a", "b", [1.5])) == ["1", *["1.5 ms"] * 5]
    assert len(cells(spread("a", "b", []))) == 6


def test_report_holds_when_all_was_measured_and_is_as_wanted() -> None:
    good = counted("a", "connected", [True], at_least=1)
    bad = Figure(section="a", what="late", runs=1, wanted="max ≤ 1 ms", holds=False)
    report = Report("make bench", machines=[MACHINE], measured=[measured("a")], figures=[good])
    assert report.holds
    assert not Report("make bench", figures=[good], broken=["refire: exit 1"]).holds
    report.figures.append(bad)
    assert not report.holds
    written = io.StringIO()
    report.print(Console(file=written, width=120))
    text = written.getvalue()
    assert "guest: Linux 6.1, 1 × X [Y], Python 3.11" in text
    assert "commit abc; make bench" in text
    assert "a: 2026-01-01 10:00 UTC, 1.0 min, load 0.5 before, 1.5 at most" in text
    assert "1 of 2 wanted values are not met" in text


def test_report_when_written_and_read_is_the_same() -> None:
    report = Report(
        "make bench",
        machines=[MACHINE],
        measured=[measured("a"), measured("b", seconds=None)],
        figures=[spread("a", "x", [1.0, 2.0], at_most=3)],
        sessions=[{"section": "a", "facts": {"connected": True}}],
        broken=["b: exit 1"],
    )
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_report_keeps_only_sections_that_came_to_their_end() -> None:
    figures = [counted(name, "connected", [True], at_least=1) for name in "ba"]
    report = Report(
        "make bench",
        measured=[measured("b", seconds=None), measured("a")],
        figures=figures,
        sessions=[{"section": "b"}, {"section": "a"}],
    )
    report.keep(report.finished)
    assert [one.section for one in report.measured] == ["a"]
    assert [figure.section for figure in report.figures] == ["a"]
    assert report.sessions == [{"section": "a"}]


def test_report_when_sorted_has_the_order_of_the_sections_and_the_rest_last() -> None:
    names = ["new", "b", "a", "b"]
    report = Report("make bench", sessions=[{"section": n, "run": i} for i, n in enumerate(names)])
    report.sort(["a", "b"])
    assert [(one["section"], one["run"]) for one in report.sessions] == [
        ("a", 2),
        ("b", 1),
        ("b", 3),
        ("new", 0),
    ]


def test_runner_measures_a_section_and_saves_it() -> None:
    saved: list[list[str]] = []
    report = Report("make bench")
    runner = Runner(report, "abc", lambda: saved.append(report.finished))
    runner.run(["start"], in_guest=False)
    (one,) = report.measured
    assert (one.section, one.commit, report.broken) == ("start", "abc", [])
    assert one.seconds is not None
    assert one.load_most >= one.load_before
    assert [figure.what for figure in report.figures] == [
        "midair --help",
        "midair listen, to its code",
    ]
    assert [machine["guest"] for machine in report.machines] == [False]
    assert saved == [["start"]]


def test_runner_notes_what_cannot_be_measured() -> None:
    report = Report("make bench")
    Runner(report, "abc", lambda: None).run(["no-such-section"], in_guest=False)
    assert report.broken == ["no-such-section: exit 2"]
    assert not report.holds


def test_bench_when_resumed_keeps_what_is_finished_and_leaves_the_page(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    old = Report(
        "make bench",
        measured=[measured("start", commit="old")],
        figures=[counted("start", "kept", [True], at_least=1)],
    )
    file.write_text(json.dumps(old.to_json()))
    done = CliRunner().invoke(main, ["start", "--resume", "--json", str(file)])
    assert done.exit_code == 0, done.output
    assert "docs/benchmarks.md is left as it was" in done.output
    kept = Report.from_json(json.loads(file.read_text()))
    assert [(one.section, one.commit) for one in kept.measured] == [("start", "old")]
    assert [figure.what for figure in kept.figures] == ["kept"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--resume"], "--resume needs --json FILE"),
        (["--render", "no-such-file"], "is no report of this benchmark"),
        (["no-such-section"], "Invalid value"),
    ],
)
def test_bench_when_asked_for_the_impossible_says_so(words: list[str], says: str) -> None:
    done = CliRunner().invoke(main, words, env={"BENCH_JSON": None})
    assert done.exit_code == 2
    assert says in done.output


def test_sections_when_listed_have_names_of_their_own() -> None:
    assert len(set(ALL)) == len(ALL)


def test_clock_of_a_machine_that_is_no_guest_is_not_stepped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MIDAIR_GUEST", raising=False)
    with pytest.raises(NotInGuestError):
        SteppedClock()

"""Figures of the benchmark: counted, spread, compared, and reported."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from lab.bench.clockstep import NotInGuestError, SteppedClock
from lab.bench.figures import Figure, counted, spread
from lab.bench.report import Report, cells


def test_counted_holds_when_it_is_often_enough() -> None:
    hits = [True] * 49 + [False]
    figure = counted("crossing", "by the first shot", hits, at_least=49)
    assert (figure.count, figure.runs, figure.wanted) == (49, 50, "≥ 49 of 50")
    assert figure.holds
    assert not counted("crossing", "connected", hits, at_least=50).holds


def test_counted_of_no_run_does_not_hold() -> None:
    assert not counted("crossing", "connected", [], at_least=0).holds


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
    bad = Figure(section="a", what="late", runs=1, holds=False)
    machine = {"guest": True, "kernel": "6.1", "cpu": "X [Y]", "processors": 1, "python": "3.11"}
    report = Report(date="2026-01-01", machines=[machine], figures=[good])
    assert report.holds
    assert not Report(date="2026-01-01", figures=[good], broken=["refire: exit 1"]).holds
    report.figures.append(bad)
    assert not report.holds
    assert json.loads(json.dumps(report.to_json()))["figures"][1]["what"] == "late"
    written = io.StringIO()
    report.print(Console(file=written, width=120))
    text = written.getvalue()
    assert "guest: Linux 6.1, 1 × X [Y], Python 3.11" in text
    assert "1 of 2 figures are not as wanted" in text


def test_clock_of_a_machine_that_is_no_guest_is_not_stepped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MIDAIR_GUEST", raising=False)
    with pytest.raises(NotInGuestError):
        SteppedClock()

"""What every test shares: nothing is skipped where it counts, and no test has a deadline."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import hypothesis
import pytest

from tests.soak import pytest_addoption, pytest_generate_tests, pytest_terminal_summary

__all__ = ["pytest_addoption", "pytest_generate_tests", "pytest_terminal_summary"]
"""Hooks: pytest finds them by name."""

# Who runs the tests in the background of a shell may ignore Ctrl-C, and by nohup that the terminal
# was closed; the programs that are tested would inherit that, but nothing that is handled here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# Nor do its users have it: what a program does not flush is late.
os.environ.pop("PYTHONUNBUFFERED", None)

# A slow machine is no bug, so no example is timed.
hypothesis.settings.register_profile("midair", deadline=None)
# In CI the same examples every time: what fails there, fails on the next machine too.
hypothesis.settings.register_profile(
    "midair-ci", deadline=None, derandomize=True, database=None, print_blob=True
)
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
# HYPOTHESIS_PROFILE=deep, every night: other examples each time, fifty times as many.
hypothesis.settings.register_profile("deep", deadline=None, max_examples=5000, print_blob=True)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("midair-ci" if IN_CI else "midair")
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one in CI, where everything must have been run."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {item.nodeid}: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module that skips itself into a failed one in CI."""
    report = yield
    if IN_CI and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {collector.nodeid}: {report.longrepr}"
    return report

"""``pytest --soak N``: every test N times in a row, and a table of how often each one passed.

A fault that shows once in ten runs is a fault. Loaded by ``conftest.py``, used by ``make soak``.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

_ROUND = re.compile(r"(\[|-)round-\d+\]$")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption(
        "--soak", type=int, default=0, metavar="N", help="run every test N times, and count"
    )


@pytest.hookimpl(trylast=True)  # after the test's own parameters, so that its rounds are in a row
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test."""
    rounds = metafunc.config.getoption("--soak")
    if rounds:
        metafunc.fixturenames.append("soak_round")
        ids = [f"round-{number}" for number in range(1, rounds + 1)]
        metafunc.parametrize("soak_round", range(rounds), ids=ids)


def without_round(nodeid: str) -> str:
    """Return a test's own name, without its round."""
    return _ROUND.sub(lambda found: "]" if found[1] == "-" else "", nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, also when the rounds were interrupted."""
    rounds = terminalreporter.config.getoption("--soak")
    if not rounds:
        return
    stats = terminalreporter.stats
    failed = {report.nodeid for word in ("failed", "error") for report in stats.get(word, ())}
    passed = {report.nodeid for report in stats.get("passed", ())} - failed
    failures, passes = (Counter(map(without_round, some)) for some in (failed, passed))
    terminalreporter.section(f"soak: every test {rounds} times")
    terminalreporter.line("passed  failed  test")
    for test in sorted(failures.keys() | passes.keys()):
        terminalreporter.line(f"{passes[test]:6}  {failures[test]:6}  {test}")

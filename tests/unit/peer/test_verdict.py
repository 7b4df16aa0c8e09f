"""What a miss is called, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from peer.core.verdict import classify_miss, explain
from peer.errors import AuthenticationError, NoPathError
from rendezvous.protocol.messages import Reason

MISS: dict[str, Any] = {
    "shots": 40,
    "refusals": 40,
    "unreachable": 0,
    "budget_spent": False,
    "greetings": {},
    "early": True,
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, Reason.REFUSED_EARLY),
        ({"early": False}, Reason.REFUSED_LATE),
        ({"refusals": 0}, Reason.SILENT),
        ({"unreachable": 40}, Reason.UNREACHABLE),
        ({"unreachable": 39}, Reason.REFUSED_EARLY),
        ({"budget_spent": True}, Reason.BUDGET_SPENT),
        ({"greetings": {Reason.NOT_SELECTED: 1}}, Reason.NOT_SELECTED),
        (
            {"greetings": {Reason.NOT_SELECTED: 3, Reason.AUTHENTICATION: 1}},
            Reason.AUTHENTICATION,
        ),
        ({"greetings": {Reason.AUTHENTICATION: 1}, "budget_spent": True}, Reason.AUTHENTICATION),
    ],
)
def test_classify_miss_when_counted_names_the_reason(
    changes: dict[str, Any], reason: Reason
) -> None:
    assert classify_miss(**(MISS | changes)) is reason


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.AUTHENTICATION])
def test_explain_when_there_is_no_path_says_so_in_two_sentences(reason: Reason) -> None:
    error = explain(reason, "both")

    assert isinstance(error, NoPathError)
    assert (error.exit_code, error.verdict) == (5, reason.value)
    assert error.what.startswith("no path: ")
    assert error.hint
    assert "{" not in str(error)


def test_explain_when_the_code_is_wrong_is_an_authentication_error() -> None:
    error = explain(Reason.AUTHENTICATION, "both")

    assert isinstance(error, AuthenticationError)
    assert error.exit_code == 6


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("you", "no path: your NAT gives every"),
        ("partner", "your partner's NAT gives every"),
        ("both", "both NATs give every"),
    ],
)
def test_explain_when_a_nat_is_unpredictable_says_whose(who: Any, words: str) -> None:
    assert words in explain(Reason.MAPPING_UNPREDICTABLE, who).what

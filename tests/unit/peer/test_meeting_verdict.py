"""What a person reads when a meeting came to nothing."""

from __future__ import annotations

import pytest

from peer.core.meeting_verdict import FINAL, explain_meeting
from rendezvous.protocol.messages import Reason

HOST = "203.0.113.2"


@pytest.mark.parametrize("reason", [Reason.SILENT, Reason.REFUSED_EARLY, Reason.BUDGET_SPENT])
def test_miss_when_explained_names_the_partner_and_what_was_seen(reason: Reason) -> None:
    error = explain_meeting(reason, HOST, 1)

    assert (error.exit_code, error.verdict) == (5, reason.value)
    assert error.what.startswith(f"no path: {HOST} did not meet us (")
    assert "midair doctor" in error.hint


def test_misses_when_there_were_several_are_counted() -> None:
    assert "at 3 meetings" in explain_meeting(Reason.SILENT, HOST, 3).what


def test_wrong_secret_when_explained_is_exit_6_and_says_no_code() -> None:
    error = explain_meeting(Reason.AUTHENTICATION, HOST, 1)

    assert (error.exit_code, error.verdict) == (6, "authentication")
    assert HOST in error.what
    assert "code" not in str(error)
    assert "midair listen" not in str(error)


@pytest.mark.parametrize("reason", list(Reason))
def test_reason_when_explained_is_a_sentence_without_a_rendezvous(reason: Reason) -> None:
    left_by = (Reason.TIMEOUT, Reason.INTERRUPTED, Reason.DONE, Reason.NO_RELAY)
    planned = (Reason.MAPPING_UNPREDICTABLE, Reason.NO_CANDIDATES, Reason.MAPPING_CHANGED)
    if reason in (*left_by, *planned, Reason.NO_COMMON_FAMILY):
        return  # a rendezvous says these; no attempt ends so
    text = str(explain_meeting(reason, HOST, 2))

    assert "rendezvous" not in text
    assert "--local-port" not in text


def test_final_reasons_when_listed_are_those_that_another_meeting_cannot_mend() -> None:
    assert set(FINAL) == {Reason.AUTHENTICATION, Reason.FORBIDDEN}

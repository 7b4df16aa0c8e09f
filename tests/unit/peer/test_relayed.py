"""What the relay's answers mean to a person, and what a relayed connection stands on."""

from __future__ import annotations

import pytest

from peer.core.agent import Agent
from peer.core.expiry import out_of_time
from peer.core.keys import SessionKey, race_key
from peer.core.relayed import explain_refusal, facts_of, relay_key, relay_place
from peer.core.steps import State
from peer.core.verdict import explain, not_relayed
from rendezvous.protocol.messages import MAX_ATTEMPTS, AttemptResult, Reason
from rendezvous.protocol.relay import Status

SESSION = bytes(range(16))
KEY = SessionKey(b"k" * 32, SESSION)


@pytest.mark.parametrize("status", [status for status in Status if status > Status.GO])
def test_refusal_when_explained_says_what_and_what_to_do(status: Status) -> None:
    what, hint = explain_refusal(status)
    assert what
    assert hint
    assert not what.endswith(".")


def test_failure_of_the_relay_is_told_behind_the_verdict_and_keeps_its_reason() -> None:
    verdict = explain(Reason.MAPPING_UNPREDICTABLE, "both")
    error = not_relayed(verdict, *explain_refusal(Status.FULL))
    assert (error.reason, error.exit_code) == (Reason.MAPPING_UNPREDICTABLE, 5)
    assert str(error) == (
        "no path: both NATs give every connection a new port (address-and-port-dependent "
        "mapping), so nobody can say where to aim; and not over the relay: it carries as many "
        "pairs as its operator allows. Try again later, or use another rendezvous"
    )


def test_failure_of_a_relay_that_alone_was_wanted_has_a_reason_of_its_own() -> None:
    error = not_relayed(None, *explain_refusal(Status.ALONE))
    assert (error.reason, error.exit_code) == (Reason.NO_RELAY, 5)
    assert error.what == "no relay: your partner did not come there"


def test_time_that_is_over_at_the_relay_keeps_the_verdict() -> None:
    agent = Agent(state=State.RELAYING, verdict=explain(Reason.SILENT, "you"))
    error = out_of_time(agent, "http://192.0.2.10:8080", waits=True, joins=False)
    assert error.verdict == "silent"
    assert "your partner did not come there in time" in error.what


def test_key_of_the_relay_is_no_other_one_and_its_place_no_attempt() -> None:
    assert relay_key(KEY) != relay_key(SessionKey(KEY.material, bytes(16)))
    assert relay_key(KEY) != race_key(KEY, bytes(32), bytes(32), bytes(32))
    place = relay_place(SESSION)
    assert (place.session, place.attempt, place.pair) == (SESSION, 0, 0)
    assert place.attempt not in range(1, MAX_ATTEMPTS + 1)


def test_facts_count_the_shots_of_all_attempts() -> None:
    misses = [
        AttemptResult(attempt=n, reason=Reason.SILENT, shots=10 * n, refusals=n) for n in (1, 2)
    ]
    facts = facts_of(misses)
    assert (facts.shots, facts.refusals, facts.winner_shots) == (30, 3, 0)

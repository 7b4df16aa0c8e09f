"""A session that may go over a relay: when it does, and when it must not."""

from __future__ import annotations

import pytest

from peer.core.agent import MAX_ATTEMPTS, Agent
from peer.core.steps import (
    Appointed,
    AwaitPartner,
    Connected,
    Finish,
    Judged,
    Learn,
    Learned,
    Leave,
    Missed,
    PartnerCame,
    PartnerLeft,
    Relay,
    RelayLeft,
    Seated,
    State,
    Stopped,
)
from peer.core.verdict import explain
from peer.errors import AuthenticationError, BrokenError, NoPathError
from rendezvous.protocol.messages import AttemptResult, Reason, RelayPolicy, Verdict
from tests.unit.peer.test_agent import APPOINTMENT, REPORT, result

UNPREDICTABLE = Judged(Verdict(reason=Reason.MAPPING_UNPREDICTABLE, who="both"))


def paired(
    relay: RelayPolicy = "auto", partner: RelayPolicy | None = "auto", *, has_relay: bool = True
) -> Agent:
    agent = Agent(relay=relay)
    agent.handle(Seated(True, partner, has_relay))
    return agent


def firing(relay: RelayPolicy = "auto") -> Agent:
    agent = paired(relay)
    agent.handle(Learned(REPORT))
    agent.handle(Appointed(APPOINTMENT))
    return agent


def finished(orders: object) -> NoPathError:
    assert isinstance(orders, list)
    leave, finish = orders
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, NoPathError)
    assert leave == Leave(finish.error.reason)
    return finish.error


def test_last_miss_where_both_want_a_relay_leads_there_with_the_verdict() -> None:
    agent = firing()
    for attempt in range(1, MAX_ATTEMPTS):
        agent.handle(Missed(result(attempt)))
        agent.handle(Learned(REPORT))
        agent.handle(Appointed(APPOINTMENT))
    [order] = agent.handle(Missed(result(MAX_ATTEMPTS, Reason.SILENT)))

    assert isinstance(order, Relay)
    assert str(order.verdict) == str(explain(Reason.SILENT, "you"))
    assert agent.verdict is order.verdict
    assert len(agent.misses) == MAX_ATTEMPTS
    assert agent.handle(Connected()) == [Finish(None)]
    assert agent.state is State.DONE


def test_session_without_a_plan_where_both_want_a_relay_leads_there_at_once() -> None:
    agent = paired()
    agent.handle(Learned(REPORT))
    [order] = agent.handle(UNPREDICTABLE)

    assert isinstance(order, Relay)
    assert str(order.verdict) == str(explain(Reason.MAPPING_UNPREDICTABLE, "both"))


@pytest.mark.parametrize(
    ("own", "partner", "has_relay"),
    [
        ("never", "auto", True),
        ("auto", "never", True),
        ("auto", None, True),
        ("auto", "auto", False),
    ],
)
def test_session_where_one_wants_no_relay_or_there_is_none_fails_as_ever(
    own: RelayPolicy, partner: RelayPolicy | None, has_relay: bool
) -> None:
    agent = paired(own, partner, has_relay=has_relay)
    agent.handle(Learned(REPORT))

    assert finished(agent.handle(UNPREDICTABLE)).reason is Reason.MAPPING_UNPREDICTABLE
    assert agent.state is State.FAILED


@pytest.mark.parametrize(("own", "partner"), [("only", "auto"), ("auto", "only"), ("only", "only")])
def test_session_where_one_wants_only_a_relay_fires_nothing(
    own: RelayPolicy, partner: RelayPolicy
) -> None:
    joined, waited = Agent(relay=own), Agent(relay=own)

    assert joined.handle(Seated(True, partner, True)) == [Relay(None)]
    assert waited.handle(Seated(False, None, True)) == [AwaitPartner()]
    assert waited.handle(PartnerCame(partner)) == [Relay(None)]


@pytest.mark.parametrize(
    ("own", "partner", "has_relay", "words"),
    [
        ("only", "never", True, "your partner wants none"),
        ("only", None, True, "your partner wants none"),
        ("never", "only", True, "you want none"),
        ("auto", "only", False, "this rendezvous has none"),
    ],
)
def test_session_where_wishes_exclude_each_other_says_whose(
    own: RelayPolicy, partner: RelayPolicy | None, has_relay: bool, words: str
) -> None:
    agent = Agent(relay=own)
    error = finished(agent.handle(Seated(True, partner, has_relay)))

    assert (error.reason, error.exit_code) == (Reason.NO_RELAY, 5)
    assert words in str(error)


def test_opener_who_wants_only_a_relay_where_there_is_none_does_not_wait_for_a_partner() -> None:
    error = finished(Agent(relay="only").handle(Seated(False, None, False)))

    assert "this rendezvous has none" in str(error)


def test_wrong_code_is_not_tried_again_over_a_relay() -> None:
    _, finish = firing().handle(Missed(result(1, Reason.AUTHENTICATION)))

    assert isinstance(finish, Finish)
    assert isinstance(finish.error, AuthenticationError)


def test_miss_that_is_not_the_last_leads_to_the_next_attempt_as_ever() -> None:
    assert firing().handle(Missed(result(1))) == [Learn(2)]


def relaying() -> Agent:
    agent = paired()
    agent.handle(Learned(REPORT))
    agent.handle(UNPREDICTABLE)
    return agent


def test_partner_that_leaves_instead_of_coming_ends_with_the_verdict() -> None:
    leave, finish = relaying().handle(PartnerLeft(Reason.INTERRUPTED))

    assert leave == Leave(Reason.INTERRUPTED)
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, NoPathError)
    assert finish.error.reason is Reason.MAPPING_UNPREDICTABLE
    assert "both NATs" in str(finish.error)
    assert "your partner has left" in str(finish.error)


def test_partner_that_leaves_since_the_code_is_wrong_ends_with_that() -> None:
    _, finish = relaying().handle(PartnerLeft(Reason.AUTHENTICATION))

    assert isinstance(finish, Finish)
    assert isinstance(finish.error, AuthenticationError)


def test_stopped_while_relaying_leaves_and_ends_with_the_error() -> None:
    error = BrokenError("it broke")

    assert relaying().handle(Stopped(error, Reason.NO_RELAY)) == [
        Leave(Reason.NO_RELAY),
        Finish(error),
    ]


def test_relay_is_left_to_who_has_tried_a_path_and_not_to_who_never_heard_of_its_partner() -> None:
    agent = paired()
    assert not agent.is_relay_left  # LEARNING, nothing tried yet
    agent.handle(Learned(REPORT))
    assert not agent.is_relay_left  # REPORTING: the partner came and was not heard of again
    agent.handle(Appointed(APPOINTMENT))
    assert agent.is_relay_left
    agent.handle(Missed(result(1)))
    assert agent.is_relay_left
    agent.handle(RelayLeft(explain(Reason.SILENT, "you")))
    assert not agent.is_relay_left  # it is being tried
    assert not firing("never").is_relay_left


def test_misses_are_kept_for_the_report_and_for_the_trace() -> None:
    agent = firing()
    missed: list[AttemptResult] = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        missed.append(result(attempt))
        agent.handle(Missed(missed[-1]))
        if attempt < MAX_ATTEMPTS:
            agent.handle(Learned(REPORT))
            agent.handle(Appointed(APPOINTMENT))
    assert agent.misses == missed

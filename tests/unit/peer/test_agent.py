"""A session's machine: what follows from what, how often, and what a miss means."""

from __future__ import annotations

import pytest

from peer.core.agent import MAX_ATTEMPTS, TRANSITIONS, Agent
from peer.core.steps import (
    Appointed,
    AwaitPartner,
    Connected,
    Event,
    Finish,
    Fire,
    Judged,
    Learn,
    Learned,
    Leave,
    Missed,
    PartnerCame,
    PartnerLeft,
    RelayLeft,
    Seated,
    SendReport,
    State,
    Stopped,
    TakeSeat,
)
from peer.errors import AuthenticationError, NoPathError, PortInUseError
from rendezvous.protocol.messages import Appointment, AttemptResult, Pair, Reason, Verdict
from tests.fakes.server import NOW_US, report

REPORT = report()
APPOINTMENT = Appointment(
    attempt=1,
    role="initiator",
    timescale="utc",
    instant_us=NOW_US,
    deadline_us=NOW_US + 5_000_000,
    strategy="paired",
    crossing="unknown",
    syn_budget=5_000,
    pairs=(Pair(pair=0, port_index=0, family=4, remote="203.0.113.2:20000"),),
)
STOPPED = Stopped(PortInUseError("port 1 is in use"), Reason.PORT_IN_USE)
EVENTS: list[Event] = [
    Seated(False),
    PartnerCame(),
    Learned(REPORT),
    Appointed(APPOINTMENT),
    Judged(Verdict(reason=Reason.NO_CANDIDATES, who="you")),
    PartnerLeft(Reason.DONE),
    Connected(),
    RelayLeft(None),
    STOPPED,
]


def result(attempt: int, reason: Reason = Reason.REFUSED_EARLY) -> AttemptResult:
    return AttemptResult(attempt=attempt, reason=reason, shots=9, refusals=9)


def firing() -> Agent:
    agent = Agent()
    for event in (Seated(True), Learned(REPORT), Appointed(APPOINTMENT)):
        agent.handle(event)
    return agent


def test_session_when_all_goes_well_goes_through_its_states() -> None:
    agent = Agent()

    assert agent.start() == [TakeSeat()]
    assert agent.handle(Seated(paired=False)) == [AwaitPartner()]
    assert agent.handle(PartnerCame()) == [Learn(1)]
    assert agent.handle(Learned(REPORT)) == [SendReport(1, REPORT)]
    assert agent.handle(Appointed(APPOINTMENT)) == [Fire(APPOINTMENT)]
    assert agent.handle(Connected()) == [Finish(None)]
    assert agent.state is State.DONE


def test_seated_when_the_partner_is_there_learns_at_once() -> None:
    assert Agent().handle(Seated(paired=True)) == [Learn(1)]


def test_missed_when_attempts_are_left_learns_again_and_reports_the_miss() -> None:
    agent = firing()

    assert agent.handle(Missed(result(1))) == [Learn(2)]
    [order] = agent.handle(Learned(REPORT))
    assert isinstance(order, SendReport)
    assert (order.attempt, order.report.previous) == (2, result(1))


def test_missed_when_the_appointment_was_never_heard_of_goes_on_to_the_next() -> None:
    agent = Agent()
    agent.handle(Seated(True))
    agent.handle(Learned(REPORT))

    assert agent.handle(Missed(result(1, Reason.APPOINTMENT_LATE))) == [Learn(2)]


def test_missed_when_the_address_is_another_now_says_that_instead() -> None:
    agent = firing()
    agent.handle(Missed(result(1)))

    [order] = agent.handle(Learned(REPORT, mapping_changed=True))
    assert isinstance(order, SendReport)
    assert order.report.previous == result(1, Reason.MAPPING_CHANGED)


def test_missed_when_it_was_the_last_ends_with_its_reason() -> None:
    agent = firing()
    for attempt in range(1, MAX_ATTEMPTS):
        agent.handle(Missed(result(attempt)))
        agent.handle(Learned(REPORT))
        agent.handle(Appointed(APPOINTMENT))
    leave, finish = agent.handle(Missed(result(MAX_ATTEMPTS, Reason.SILENT)))

    assert leave == Leave(Reason.SILENT)
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, NoPathError)
    assert finish.error.verdict == "silent"
    assert agent.state is State.FAILED
    assert len(agent.misses) == MAX_ATTEMPTS


def test_missed_when_the_code_was_wrong_is_not_tried_again() -> None:
    leave, finish = firing().handle(Missed(result(1, Reason.AUTHENTICATION)))

    assert leave == Leave(Reason.AUTHENTICATION)
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, AuthenticationError)


def test_judged_when_there_is_no_plan_leaves_with_the_verdict() -> None:
    agent = Agent()
    agent.handle(Seated(True))
    agent.handle(Learned(REPORT))
    verdict = Verdict(reason=Reason.MAPPING_UNPREDICTABLE, who="partner")
    leave, finish = agent.handle(Judged(verdict))

    assert leave == Leave(Reason.MAPPING_UNPREDICTABLE)
    assert isinstance(finish, Finish)
    assert "your partner's NAT" in str(finish.error)


def test_partner_left_when_it_knew_why_ends_with_the_same_reason() -> None:
    agent = firing()
    leave, finish = agent.handle(PartnerLeft(Reason.AUTHENTICATION))

    assert leave == Leave(Reason.AUTHENTICATION)
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, AuthenticationError)


def test_stopped_when_there_is_an_error_leaves_and_ends_with_it() -> None:
    assert firing().handle(STOPPED) == [Leave(Reason.PORT_IN_USE), Finish(STOPPED.error)]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", [*EVENTS, Missed(result(1))], ids=lambda e: type(e).__name__)
def test_handle_when_an_event_has_no_place_raises(state: State, event: Event) -> None:
    agent = Agent(state=state)
    if (state, type(event)) in TRANSITIONS:
        agent.handle(event)
        assert agent.state is not state
    else:
        with pytest.raises(KeyError):
            agent.handle(event)


def test_states_when_over_allow_nothing() -> None:
    assert not [state for state, _ in TRANSITIONS if state in (State.DONE, State.FAILED)]

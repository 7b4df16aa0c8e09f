"""The machine of one session, event by event."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.events import (
    Burned,
    Event,
    Linger,
    PakeSent,
    RelayWished,
    Reported,
    SeatLeft,
    SeatTaken,
    State,
    Wake,
    Withdrawn,
)
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import Appointment, Reason, RelayPolicy, Report, Seat
from rendezvous.refusal import Refused
from rendezvous.session import ATTEMPTS_KEPT, TRANSITIONS, Answer, Session
from tests.fakes.server import NOW_US, report, srflx

A, B = srflx("198.51.100.2:30000"), srflx("203.0.113.2:30000")
DIGESTS: dict[Seat, bytes] = {"a": b"A" * 32, "b": b"B" * 32}


def paired() -> Session:
    session = Session()
    for seat, digest in DIGESTS.items():
        assert session.handle(SeatTaken(seat, digest), now_us=NOW_US) == [Wake()]
    return session


def tell(session: Session, seat: Seat, attempt: int, said: Report, now_us: int = NOW_US) -> None:
    session.handle(Reported(seat, attempt, said), now_us=now_us)


def appointment(session: Session, seat: Seat, attempt: int = 1) -> Appointment:
    answer = session.answer(seat, attempt)
    assert answer is not None
    assert isinstance(answer.outcome, Appointment)
    return answer.outcome


def test_reports_of_both_make_one_appointment_with_mirrored_pairs() -> None:
    session = paired()
    tell(session, "a", 1, report(A))
    assert session.answer("a", 1) is None
    tell(session, "b", 1, report(B))
    mine, theirs = appointment(session, "a"), appointment(session, "b")
    assert (mine.role, theirs.role) == ("initiator", "responder")
    assert mine.instant_us == theirs.instant_us
    assert mine.pairs[0].remote == B.endpoint
    assert theirs.pairs[0].remote == A.endpoint


def test_report_again_before_outcome_replaces_the_first() -> None:
    session = paired()
    tell(session, "a", 1, report(srflx("198.51.100.2:40000")))
    tell(session, "a", 1, report(A))
    tell(session, "b", 1, report(B))
    assert appointment(session, "b").pairs[0].remote == A.endpoint


def test_report_again_after_outcome_gets_the_stored_one() -> None:
    session = paired()
    tell(session, "a", 1, report(A))
    tell(session, "b", 1, report(B))
    before = session.answer("a", 1), session.answer("b", 1)
    tell(session, "a", 1, report(srflx("198.51.100.2:40000")), NOW_US + 10**6)
    assert (session.answer("a", 1), session.answer("b", 1)) == before


def test_withdrawn_report_is_not_planned_with_until_its_peer_reports_again() -> None:
    session = paired()
    tell(session, "a", 1, report(A))
    assert session.handle(Withdrawn("a", 1), now_us=NOW_US) == []
    tell(session, "b", 1, report(B))
    assert session.answer("b", 1) is None
    again = report(srflx("198.51.100.2:40000"))
    assert session.handle(Reported("a", 1, again), now_us=NOW_US) == [Wake()]
    assert appointment(session, "b").pairs[0].remote == "198.51.100.2:40000"


def test_withdrawing_after_the_outcome_changes_nothing() -> None:
    session = paired()
    tell(session, "a", 1, report(A))
    tell(session, "b", 1, report(B))
    before = session.answer("a", 1), session.answer("b", 1)
    session.handle(Withdrawn("a", 1), now_us=NOW_US)
    assert (session.answer("a", 1), session.answer("b", 1)) == before


def test_partner_of_a_withdrawn_report_still_is_behind() -> None:
    session = paired()
    tell(session, "b", 2, report(B))
    session.handle(Withdrawn("b", 2), now_us=NOW_US)
    with pytest.raises(Refused):
        session.answer("a", 1)


def test_report_of_an_attempt_that_its_own_peer_has_left_behind_is_not_planned_with() -> None:
    session = paired()
    tell(session, "a", 1, report(A))
    tell(session, "a", 2, report(A))
    tell(session, "a", 1, report(A))
    tell(session, "b", 1, report(B))
    with pytest.raises(Refused):
        session.answer("b", 1)


def test_partner_leaves_while_its_report_is_awaited_and_the_reason_is_heard() -> None:
    session = paired()
    tell(session, "a", 1, report(A))
    assert session.handle(SeatLeft("b", Reason.PORT_IN_USE), now_us=NOW_US) == [Wake()]
    assert session.answer("a", 1) == Answer(left=Reason.PORT_IN_USE)


def test_partner_leaves_with_done_and_the_outcome_stays() -> None:
    session = paired()
    tell(session, "a", 1, report(A))
    tell(session, "b", 1, report(B))
    session.handle(SeatLeft("a", Reason.DONE), now_us=NOW_US)
    assert appointment(session, "b").pairs[0].remote == A.endpoint
    assert session.answer("b", 2) == Answer(left=Reason.DONE)
    assert session.handle(SeatLeft("b", Reason.DONE), now_us=NOW_US) == [Wake(), Linger()]
    assert session.state is State.OVER


def test_peers_when_both_have_left_keep_nothing_of_what_they_said() -> None:
    session = paired()
    for seat in DIGESTS:
        session.handle(PakeSent(seat, "00"), now_us=NOW_US)
    tell(session, "a", 1, report(A))
    tell(session, "b", 1, report(B))
    session.handle(SeatLeft("a", Reason.DONE), now_us=NOW_US)
    assert session.partner_pake("b") is not None
    assert appointment(session, "b").attempt == 1
    session.handle(SeatLeft("b", Reason.DONE), now_us=NOW_US)
    assert session.partner_pake("b") is None
    assert session.answer("b", 1) == Answer(left=Reason.DONE)


def test_listener_leaves_before_anybody_came_and_nobody_is_expected() -> None:
    session = Session()
    session.handle(SeatTaken("a", DIGESTS["a"]), now_us=NOW_US)
    commands = session.handle(SeatLeft("a", Reason.INTERRUPTED), now_us=NOW_US)
    assert commands == [Wake(), Linger()]


def test_burned_session_appoints_nothing_more_and_says_why() -> None:
    session = paired()
    tell(session, "a", 1, report(A))
    session.handle(Burned("b"), now_us=NOW_US)
    assert session.state is State.BURNED
    assert session.answer("a", 1) == Answer(left=Reason.AUTHENTICATION)
    with pytest.raises(Refused) as refused:
        tell(session, "a", 2, report(A))
    assert refused.value.word is ProblemWord.CLOSED


def test_attempt_that_the_partner_has_left_behind_is_closed() -> None:
    session = paired()
    tell(session, "a", 1, report(A))
    tell(session, "b", 2, report(B))
    with pytest.raises(Refused) as refused:
        session.answer("a", 1)
    assert refused.value.word is ProblemWord.CLOSED
    assert session.answer("b", 2) is None


def test_old_attempts_are_forgotten() -> None:
    session = paired()
    for attempt in range(1, ATTEMPTS_KEPT + 2):
        tell(session, "a", attempt, report(A))
        tell(session, "b", attempt, report(B))
    appointment(session, "a", 2)
    with pytest.raises(Refused):
        session.answer("a", 1)


def test_one_seat_reports_alone_after_a_restart_then_the_other_comes() -> None:
    session = Session()
    session.handle(SeatTaken("b", DIGESTS["b"]), now_us=NOW_US)
    tell(session, "b", 2, report(B))
    session.handle(SeatTaken("a", DIGESTS["a"]), now_us=NOW_US)
    tell(session, "a", 2, report(A))
    assert appointment(session, "a", 2).attempt == 2


def test_holds_only_the_secret_that_took_the_seat() -> None:
    session = paired()
    assert session.holds("a", DIGESTS["a"])
    assert not session.holds("a", DIGESTS["b"])
    assert not Session().holds("a", DIGESTS["a"])


EVENTS: list[Event] = [
    SeatTaken("a", DIGESTS["a"]),
    SeatTaken("b", DIGESTS["b"]),
    Reported("a", 1, report(A)),
    Reported("b", 1, report(B)),
    RelayWished("a", "auto"),
    Withdrawn("a", 1),
    Withdrawn("b", 2),
    SeatLeft("a", Reason.DONE),
    SeatLeft("b", Reason.SILENT),
    Burned("a"),
]


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (state, event)
        for state, event in itertools.product(State, EVENTS)
        if (state, type(event)) not in TRANSITIONS
    ],
)
def test_event_that_has_no_place_is_closed_and_changes_nothing(state: State, event: Event) -> None:
    session = Session(state=state)
    with pytest.raises(Refused) as refused:
        session.handle(event, now_us=NOW_US)
    assert refused.value.word is ProblemWord.CLOSED
    assert session.state is state


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_any_order_of_events_never_changes_an_outcome(events: list[Event]) -> None:
    session = Session()
    outcome = None
    for step, event in enumerate(events):
        try:
            session.handle(event, now_us=NOW_US + step)
        except Refused:
            continue
        if session.has_left("a") and session.has_left("b"):
            break  # nobody reads it any more
        answer = session.answer("a", 1)
        if outcome is not None:
            assert answer == outcome
        elif answer is not None and answer.outcome is not None:
            outcome = answer


@pytest.mark.parametrize(
    ("wishes", "relayed"),
    [
        (("auto", "auto"), True),
        (("only", "auto"), True),
        (("auto", "never"), False),
        (("never", "only"), False),
        (("auto", None), False),
        ((None, None), False),
    ],
)
def test_pair_may_be_relayed_only_where_both_want_it(
    wishes: tuple[RelayPolicy | None, RelayPolicy | None], relayed: bool
) -> None:
    session = paired()
    seats: tuple[Seat, Seat] = ("a", "b")
    for seat, wish in zip(seats, wishes, strict=True):
        if wish is not None:
            assert session.handle(RelayWished(seat, wish), now_us=NOW_US) == []
    assert session.may_be_relayed is relayed
    assert (session.partner_relay("b"), session.partner_relay("a")) == wishes


def test_wish_that_is_changed_later_is_the_first_one() -> None:
    session = paired()
    for wish in ("never", "auto"):
        session.handle(RelayWished("a", wish), now_us=NOW_US)
    assert session.partner_relay("b") == "never"


def test_peer_that_is_alone_or_was_left_is_not_relayed() -> None:
    session = Session()
    session.handle(SeatTaken("a", DIGESTS["a"]), now_us=NOW_US)
    session.handle(RelayWished("a", "only"), now_us=NOW_US)
    assert not session.may_be_relayed
    session.handle(SeatTaken("b", DIGESTS["b"]), now_us=NOW_US)
    session.handle(RelayWished("b", "auto"), now_us=NOW_US)
    assert session.may_be_relayed
    session.handle(SeatLeft("b", Reason.SILENT), now_us=NOW_US)
    assert not session.may_be_relayed

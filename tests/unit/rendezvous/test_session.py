"""The machine of one session: seats, leaving, wishes, and events that have no place."""

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
from rendezvous.protocol.messages import Reason, RelayPolicy, Seat
from rendezvous.refusal import Refused
from rendezvous.session import TRANSITIONS, Answer, Session
from tests.fakes.server import NOW_US, report
from tests.unit.rendezvous.sessions import DIGESTS, A, B, appointment, paired, tell


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

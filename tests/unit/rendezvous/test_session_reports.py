"""The machine of one session: what becomes of the reports."""

from __future__ import annotations

import pytest

from rendezvous.events import Reported, SeatTaken, Wake, Withdrawn
from rendezvous.protocol.errors import ProblemWord
from rendezvous.refusal import Refused
from rendezvous.session import ATTEMPTS_KEPT, Session
from tests.fakes.server import NOW_US, report, srflx
from tests.unit.rendezvous.sessions import DIGESTS, A, B, appointment, paired, tell


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

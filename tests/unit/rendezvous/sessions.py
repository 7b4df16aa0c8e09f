"""One session and those who sit in it, for its tests."""

from __future__ import annotations

from rendezvous.events import Reported, SeatTaken, Wake
from rendezvous.protocol.messages import Appointment, Report, Seat
from rendezvous.session import Session
from tests.fakes.server import NOW_US, srflx

A, B = srflx("198.51.100.2:30000"), srflx("203.0.113.2:30000")
DIGESTS: dict[Seat, bytes] = {"a": b"A" * 32, "b": b"B" * 32}


def paired() -> Session:
    """Make a session with both seats taken."""
    session = Session()
    for seat, digest in DIGESTS.items():
        assert session.handle(SeatTaken(seat, digest), now_us=NOW_US) == [Wake()]
    return session


def tell(session: Session, seat: Seat, attempt: int, said: Report, now_us: int = NOW_US) -> None:
    """Hand in a report."""
    session.handle(Reported(seat, attempt, said), now_us=now_us)


def appointment(session: Session, seat: Seat, attempt: int = 1) -> Appointment:
    """Return what was agreed."""
    answer = session.answer(seat, attempt)
    assert answer is not None
    assert isinstance(answer.outcome, Appointment)
    return answer.outcome

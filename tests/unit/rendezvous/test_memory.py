"""The store: seats, restarts, reports, who is let in."""

from __future__ import annotations

from rendezvous.allowance import Allowance
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import Reason
from rendezvous.session import secret_digest
from rendezvous.store import Credentials, Partner, Place
from rendezvous.tokens import TOKEN_LIFE_US
from tests.fakes.server import NOW_US, SECRET_A, SECRET_B, SECRET_C, host, report, srflx
from tests.unit.rendezvous.stores import CLIENT, S, pair, proven, refusal, store, who


async def test_open_again_with_the_same_secret_gets_the_same_session() -> None:
    sut = store()
    first = await sut.open(SECRET_A, CLIENT, NOW_US)
    assert await sut.open(SECRET_A, CLIENT, NOW_US + S) == first
    assert (await sut.open(SECRET_C, CLIENT, NOW_US)).session != first.session
    assert len(sut) == 2


async def test_join_again_with_the_same_secret_gets_the_same_seat() -> None:
    sut = store()
    place = await pair(sut)
    again = await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US)
    assert again == Place(place.nameplate, place.session, "b")


async def test_join_by_a_third_is_crowded() -> None:
    sut = store()
    place = await pair(sut)
    refused = await refusal(sut.join(place.nameplate, SECRET_C, CLIENT, NOW_US))
    assert refused.word is ProblemWord.CROWDED


async def test_join_where_nobody_waits_or_waited_is_unknown() -> None:
    sut = store()
    refused = await refusal(sut.join("4711", SECRET_B, CLIENT, NOW_US))
    assert refused.word is ProblemWord.UNKNOWN_NAMEPLATE
    place = await sut.open(SECRET_A, CLIENT, NOW_US)
    await sut.leave(who(place, "a"), Reason.INTERRUPTED, NOW_US)
    refused = await refusal(sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US))
    assert refused.word is ProblemWord.UNKNOWN_NAMEPLATE


async def test_partner_is_told_when_it_comes_and_when_it_leaves() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US)
    assert await sut.partner(who(place, "a"), NOW_US) == Partner(is_there=False)
    await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US)
    assert await sut.partner(who(place, "a"), NOW_US) == Partner(is_there=True)
    await sut.leave(who(place, "b"), Reason.PORT_IN_USE, NOW_US)
    assert await sut.partner(who(place, "a"), NOW_US) == Partner(True, Reason.PORT_IN_USE)


async def test_wrong_secret_is_forbidden_for_every_request() -> None:
    sut = store()
    place = await pair(sut)
    thief = who(place, "a", SECRET_C)
    for call in (
        sut.partner(thief, NOW_US),
        sut.report(thief, 1, report(), NOW_US),
        sut.leave(thief, Reason.DONE, NOW_US),
    ):
        assert (await refusal(call)).word is ProblemWord.FORBIDDEN
    assert await sut.partner(who(place, "b"), NOW_US) == Partner(is_there=True)


async def test_report_after_a_restart_makes_the_seats_again() -> None:
    place = await pair(store())
    sut = store()
    assert await sut.report(who(place, "b"), 1, proven(place, "203.0.113.2:3000"), NOW_US) is None
    assert await sut.report(who(place, "a"), 1, proven(place, "192.0.2.9:3000"), NOW_US)
    answer = await sut.answer(who(place, "b"), 1, NOW_US)
    assert answer is not None
    assert answer.outcome is not None
    refused = await refusal(sut.partner(who(place, "a", SECRET_C), NOW_US))
    assert refused.word is ProblemWord.FORBIDDEN


async def test_join_after_a_restart_is_crowded_where_a_partner_was() -> None:
    place = await pair(store())
    sut = store()
    await sut.report(who(place, "a"), 1, proven(place, "203.0.113.2:3000"), NOW_US)
    refused = await refusal(sut.join(place.nameplate, SECRET_C, CLIENT, NOW_US))
    assert refused.word is ProblemWord.CROWDED
    assert await sut.partner(who(place, "b"), NOW_US) == Partner(is_there=True)


async def test_join_after_a_restart_finds_the_listener_that_waits_again() -> None:
    place = await store().open(SECRET_A, CLIENT, NOW_US)
    sut = store()
    assert await sut.partner(who(place, "a"), NOW_US) == Partner(is_there=False)
    joined = await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US)
    assert joined == Place(place.nameplate, place.session, "b")


async def test_restart_with_the_nameplate_given_away_is_closed() -> None:
    sut = store()
    taken = await sut.open(SECRET_A, CLIENT, NOW_US)
    old = Credentials(taken.nameplate, "f" * 32, "a", secret_digest(SECRET_C), CLIENT)
    assert (await refusal(sut.partner(old, NOW_US))).word is ProblemWord.CLOSED


async def test_leave_of_an_unknown_session_does_nothing() -> None:
    sut = store()
    nobody = Credentials("7", "f" * 32, "a", secret_digest(SECRET_A), CLIENT)
    await sut.leave(nobody, Reason.DONE, NOW_US)
    assert len(sut) == 0


async def test_leave_twice_keeps_the_first_reason_and_closes_the_seat() -> None:
    sut = store()
    place = await pair(sut)
    await sut.leave(who(place, "a"), Reason.SILENT, NOW_US)
    await sut.leave(who(place, "a"), Reason.DONE, NOW_US)
    assert await sut.partner(who(place, "b"), NOW_US) == Partner(True, Reason.SILENT)
    assert (await refusal(sut.partner(who(place, "a"), NOW_US))).word is ProblemWord.CLOSED


async def test_report_with_an_expired_token_is_stale_but_a_stored_answer_stays() -> None:
    sut = store()
    place = await pair(sut)
    late_us = NOW_US + TOKEN_LIFE_US + 1
    a, b = proven(place, "192.0.2.9:3000"), proven(place, "203.0.113.2:3000")
    refused = await refusal(sut.report(who(place, "a"), 1, a, late_us))
    assert refused.word is ProblemWord.STALE_TOKEN
    await sut.report(who(place, "a"), 1, a, NOW_US)
    answer = await sut.report(who(place, "b"), 1, b, NOW_US)
    assert await sut.report(who(place, "b"), 1, b, late_us) == answer


async def test_report_with_an_unproven_candidate_never_aims_the_partner_at_it() -> None:
    sut = store()
    place = await pair(sut)
    victim = report(srflx("192.0.2.66:4000"), host("192.0.2.66:4001"))
    await sut.report(who(place, "a"), 1, victim, NOW_US)
    answer = await sut.report(who(place, "b"), 1, proven(place, "203.0.113.2:3000"), NOW_US)
    assert answer is not None
    assert "192.0.2.66" not in str(answer)


async def test_open_too_often_from_one_address_is_refused_and_others_are_not() -> None:
    sut = store(visits=Allowance(burst=3, refill_us=S))
    for n in range(3):
        await sut.open(f"{n:064x}", CLIENT, NOW_US)
    refused = await refusal(sut.open(SECRET_A, CLIENT, NOW_US))
    assert (refused.word, refused.retry_after_us) == (ProblemWord.TOO_MANY, S)
    await sut.open(SECRET_A, "203.0.113.2", NOW_US)
    await sut.open(SECRET_B, CLIENT, NOW_US + S)


async def test_guesses_run_out_and_then_even_right_ones_wait() -> None:
    sut = store(guesses=Allowance(burst=2, refill_us=6 * S))
    place = await sut.open(SECRET_A, "203.0.113.2", NOW_US)
    for _ in range(2):
        await refusal(sut.join("4711", SECRET_B, CLIENT, NOW_US))
    refused = await refusal(sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US))
    assert (refused.word, refused.retry_after_us) == (ProblemWord.TOO_MANY, 6 * S)
    await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US + 6 * S)

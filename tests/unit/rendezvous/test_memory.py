"""The store: seats, restarts, life times, limits.  No clock, no network."""

from __future__ import annotations

from typing import Any

import pytest

from rendezvous.allowance import Allowance
from rendezvous.memory import ABANDONED_US, LINGER_US, MemoryStore
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import Reason, RelayPolicy, Report, Seat
from rendezvous.refusal import Refused
from rendezvous.store import Credentials, Limits, Partner, Place
from rendezvous.tokens import TOKEN_LIFE_US, Tokens
from tests.fakes.server import NOW_US, SECRET_A, SECRET_B, SECRET_C, host, report, srflx

CLIENT = "198.51.100.2"
S = 1_000_000
PAKE_A, PAKE_B, PAKE_C = ("53" + digit * 64 for digit in "abc")
tokens = Tokens(b"k" * 32)


def store(**limits: Any) -> MemoryStore:
    return MemoryStore(tokens, Limits(**limits))


def who(
    place: Place,
    seat: Seat,
    secret: str | None = None,
    *,
    pake: str | None = None,
    relay: RelayPolicy | None = None,
) -> Credentials:
    secret = secret or (SECRET_A if seat == "a" else SECRET_B)
    return Credentials(place.nameplate, place.session, seat, secret, CLIENT, pake, relay)


async def pair(in_store: MemoryStore) -> Place:
    place = await in_store.open(SECRET_A, CLIENT, NOW_US)
    await in_store.join(place.nameplate, SECRET_B, CLIENT, NOW_US)
    return place


def proven(place: Place, endpoint: str) -> Report:
    token = tokens.mint(Endpoint.parse(endpoint), place.session, NOW_US)
    return report(srflx(endpoint, token=token))


async def refusal(awaitable: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        await awaitable
    return refused.value


async def test_open_when_a_nameplate_is_wished_for_gives_it_once() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, nameplate="1314")
    assert place.nameplate == "1314"
    assert await sut.open(SECRET_A, CLIENT, NOW_US, nameplate="1314") == place
    refused = await refusal(sut.open(SECRET_C, CLIENT, NOW_US, nameplate="1314"))
    assert refused.word is ProblemWord.CROWDED
    assert (await sut.join("1314", SECRET_B, CLIENT, NOW_US)).session == place.session


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
    old = Credentials(taken.nameplate, "f" * 32, "a", SECRET_C, CLIENT)
    assert (await refusal(sut.partner(old, NOW_US))).word is ProblemWord.CLOSED


async def test_leave_of_an_unknown_session_does_nothing() -> None:
    sut = store()
    await sut.leave(Credentials("7", "f" * 32, "a", SECRET_A, CLIENT), Reason.DONE, NOW_US)
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


async def test_session_expires_after_its_last_request() -> None:
    sut = store(ttl_us=600 * S)
    place = await sut.open(SECRET_A, CLIENT, NOW_US)
    await sut.partner(who(place, "a"), NOW_US + 500 * S)
    await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US + 1099 * S)
    await sut.leave(Credentials("7", "f" * 32, "a", SECRET_A, CLIENT), Reason.DONE, NOW_US)
    assert len(sut) == 1
    refused = await refusal(sut.join(place.nameplate, SECRET_C, CLIENT, NOW_US + 1699 * S))
    assert refused.word is ProblemWord.UNKNOWN_NAMEPLATE
    assert len(sut) == 0


async def test_session_with_a_parked_poll_does_not_expire() -> None:
    sut = store(ttl_us=600 * S)
    place = await sut.open(SECRET_A, CLIENT, NOW_US)
    woken: list[int] = []
    unwatch = sut.watch(place.session, lambda: woken.append(1))
    await sut.open(SECRET_C, CLIENT, NOW_US + 3000 * S)
    await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US + 3000 * S)
    assert woken == [1]
    unwatch()
    await sut.open("d" * 64, CLIENT, NOW_US + 6000 * S)
    assert len(sut) == 1


async def test_session_that_is_over_lingers_for_retries_then_frees_its_nameplate() -> None:
    sut = store()
    place = await pair(sut)
    for seat in ("a", "b"):
        await sut.leave(who(place, seat), Reason.DONE, NOW_US)
    await sut.leave(who(place, "a"), Reason.DONE, NOW_US + LINGER_US - 1)
    assert len(sut) == 1
    await sut.leave(who(place, "a"), Reason.DONE, NOW_US + LINGER_US)
    assert len(sut) == 0


async def test_store_that_is_full_says_when_to_come_back() -> None:
    sut = store(max_sessions=1)
    await sut.open(SECRET_A, CLIENT, NOW_US)
    refused = await refusal(sut.open(SECRET_B, CLIENT, NOW_US))
    assert refused.word is ProblemWord.FULL
    assert refused.retry_after_us
    await sut.open(SECRET_A, CLIENT, NOW_US)


async def test_nameplates_are_short_but_not_soon_guessed_while_few_are_taken() -> None:
    sut = store(visits=Allowance(10_000, 1))
    places = [await sut.open(f"{n:064x}", CLIENT, NOW_US) for n in range(300)]
    numbers = [int(place.nameplate) for place in places]
    assert len(set(numbers)) == 300
    assert all(1000 <= n < 10_000 for n in numbers)


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


async def test_watch_when_somebody_gets_the_nameplate_wakes() -> None:
    sut, woken = store(), list[str]()
    unwatch = sut.watch("1314", lambda: woken.append("1314"))
    other = sut.watch("1315", lambda: woken.append("1315"))
    assert not await sut.knows("1314", NOW_US)
    # As after a restart: the session is made again by its first request.
    lost = Place("1314", "0" * 32, "a")
    await sut.partner(who(lost, "a"), NOW_US)
    assert await sut.knows("1314", NOW_US)
    assert woken == ["1314"]
    unwatch()
    other()
    assert not await sut.knows("1314", NOW_US + sut.ttl_us)


async def test_pake_messages_are_passed_on_to_the_other_seat_only() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, pake=PAKE_A)
    assert place.partner_pake is None
    joined = await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US, pake=PAKE_B)
    assert joined.partner_pake == PAKE_A
    assert (await sut.partner(who(place, "a"), NOW_US)).pake == PAKE_B
    assert (await sut.partner(who(place, "b"), NOW_US)).pake == PAKE_A
    assert (await sut.open(SECRET_A, CLIENT, NOW_US, pake=PAKE_A)).partner_pake == PAKE_B


async def test_second_pake_message_of_a_seat_is_forbidden_wherever_it_comes() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, pake=PAKE_A)
    await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US, pake=PAKE_B)
    guess = who(place, "b", pake=PAKE_C)
    for call in (
        sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US, pake=PAKE_C),
        sut.open(SECRET_A, CLIENT, NOW_US, pake=PAKE_C),
        sut.partner(guess, NOW_US),
        sut.report(guess, 1, proven(place, "203.0.113.2:3000"), NOW_US),
    ):
        assert (await refusal(call)).word is ProblemWord.FORBIDDEN
    assert (await sut.partner(who(place, "a"), NOW_US)).pake == PAKE_B


async def test_pake_message_of_somebody_without_the_seat_is_not_kept() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US)
    await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US)
    thief = who(place, "b", SECRET_C, pake=PAKE_C)
    assert (await refusal(sut.partner(thief, NOW_US))).word is ProblemWord.FORBIDDEN
    assert (await sut.partner(who(place, "a"), NOW_US)).pake is None
    await sut.partner(who(place, "b", pake=PAKE_B), NOW_US)
    assert (await sut.partner(who(place, "a"), NOW_US)).pake == PAKE_B


async def test_pake_messages_after_a_restart_come_again_with_the_seats() -> None:
    place = await pair(store())
    sut = store()
    await sut.partner(who(place, "a", pake=PAKE_A), NOW_US)
    joined = await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US, pake=PAKE_B)
    assert joined.partner_pake == PAKE_A


async def test_partner_whose_pake_message_is_awaited_is_there_when_it_has_come() -> None:
    sut, woken = store(), list[int]()
    place = await sut.open(SECRET_A, CLIENT, NOW_US)
    joined = await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US, pake=PAKE_B)
    assert joined.partner_pake is None
    assert await sut.partner(who(place, "b", pake=PAKE_B), NOW_US) == Partner(is_there=False)
    unwatch = sut.watch(place.session, lambda: woken.append(1))
    assert (await sut.partner(who(place, "a", pake=PAKE_A), NOW_US)).pake == PAKE_B
    assert woken == [1]
    assert await sut.partner(who(place, "b", pake=PAKE_B), NOW_US) == Partner(True, None, PAKE_A)
    await sut.leave(who(place, "a"), Reason.INTERRUPTED, NOW_US)
    assert (await sut.partner(who(place, "b", pake=PAKE_B), NOW_US)).left is Reason.INTERRUPTED
    unwatch()


async def test_ticket_of_the_relay_is_given_to_both_once_both_are_there_and_want_it() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, relay="auto")
    assert (await sut.partner(who(place, "a"), NOW_US)).ticket is None
    joined = await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US, relay="only")
    assert joined.partner_relay == "auto"
    for seat in ("a", "b"):
        partner = await sut.partner(who(place, seat), NOW_US)
        assert partner.ticket is not None
        assert (partner.ticket.session, partner.ticket.seat) == (place.session, seat)
        assert partner.ticket.expiry_us == NOW_US + 60 * S
    assert (await sut.partner(who(place, "a"), NOW_US)).relay == "only"


async def test_ticket_of_the_relay_is_given_to_nobody_where_one_says_never() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, relay="auto")
    await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US, relay="never")
    partner = await sut.partner(who(place, "a"), NOW_US)
    assert (partner.relay, partner.ticket) == ("never", None)
    assert (await sut.partner(who(place, "b"), NOW_US)).ticket is None


async def test_wish_for_a_relay_comes_again_with_the_seats_after_a_restart() -> None:
    before, sut = store(), store()
    place = await pair(before)
    await sut.partner(who(place, "a", relay="auto"), NOW_US)
    partner = await sut.partner(who(place, "b", relay="auto"), NOW_US)
    assert partner.relay == "auto"
    assert partner.ticket is not None


async def test_nameplate_of_an_agreed_code_is_free_again_when_its_session_is_over() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, nameplate="1314")
    await sut.join("1314", SECRET_B, CLIENT, NOW_US)
    refused = await refusal(sut.open(SECRET_C, CLIENT, NOW_US, nameplate="1314"))
    assert refused.word is ProblemWord.CROWDED
    await sut.leave(who(place, "a"), Reason.DONE, NOW_US)
    again = await sut.open(SECRET_C, CLIENT, NOW_US, nameplate="1314")
    # The one that is left goes on in its own session, and the old one's end is not the new one's.
    assert (await sut.partner(who(place, "b"), NOW_US)).left is Reason.DONE
    await sut.leave(who(place, "b"), Reason.DONE, NOW_US)
    assert await sut.awaits("1314", NOW_US + LINGER_US)
    assert (await sut.join("1314", SECRET_B, CLIENT, NOW_US + LINGER_US)).session == again.session


async def test_nameplate_of_a_burned_session_is_nobody_elses() -> None:
    # Whoever has guessed at one peer's words could wait there for the other one's.
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, nameplate="1314", pake=PAKE_A)
    await sut.join("1314", SECRET_B, CLIENT, NOW_US, pake=PAKE_B)
    await sut.leave(who(place, "a"), Reason.AUTHENTICATION, NOW_US)
    await sut.leave(who(place, "b", secret=SECRET_B), Reason.AUTHENTICATION, NOW_US)
    later_us = NOW_US + sut.ttl_us - 1
    refused = await refusal(sut.open(SECRET_C, CLIENT, later_us, nameplate="1314"))
    assert refused.word is ProblemWord.CROWDED
    again = await sut.open(SECRET_C, CLIENT, later_us + 1, nameplate="1314")
    assert again.session != place.session


async def test_nameplate_of_a_burned_session_without_words_is_free_again() -> None:
    # Two machines with a secret: nobody guesses at that, and who disturbs them once is not to
    # keep them apart.
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, nameplate="1314")
    await sut.join("1314", SECRET_B, CLIENT, NOW_US)
    await sut.leave(who(place, "a"), Reason.AUTHENTICATION, NOW_US)
    again = await sut.open(SECRET_C, CLIENT, NOW_US, nameplate="1314")
    assert again.session != place.session


async def test_nameplate_of_an_agreed_code_is_free_again_when_its_peer_has_gone_silently() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, nameplate="1314")
    later_us = NOW_US + ABANDONED_US
    refused = await refusal(sut.open(SECRET_C, CLIENT, later_us - 1, nameplate="1314"))
    assert refused.word is ProblemWord.CROWDED
    unwatch = sut.watch(place.session, lambda: None)
    refused = await refusal(sut.open(SECRET_C, CLIENT, later_us, nameplate="1314"))
    assert refused.word is ProblemWord.CROWDED
    unwatch()
    assert (await sut.open(SECRET_C, CLIENT, later_us, nameplate="1314")).session != place.session


async def test_session_awaits_a_partner_while_its_second_seat_is_free() -> None:
    sut = store()
    assert not await sut.awaits("1314", NOW_US)
    await sut.open(SECRET_A, CLIENT, NOW_US, nameplate="1314")
    assert await sut.awaits("1314", NOW_US)
    await sut.join("1314", SECRET_B, CLIENT, NOW_US)
    assert not await sut.awaits("1314", NOW_US)

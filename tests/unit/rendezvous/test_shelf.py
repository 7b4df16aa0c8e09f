"""How long sessions and their nameplates are kept, and how many: life times and limits."""

from __future__ import annotations

from rendezvous.allowance import Allowance
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import Reason
from rendezvous.session import secret_digest
from rendezvous.shelf import ABANDONED_US, LINGER_US
from rendezvous.store import Credentials, Place
from tests.fakes.server import NOW_US, SECRET_A, SECRET_B, SECRET_C
from tests.unit.rendezvous.stores import CLIENT, PAKE_A, PAKE_B, S, pair, refusal, store, who


async def test_open_when_a_nameplate_is_wished_for_gives_it_once() -> None:
    sut = store()
    place = await sut.open(SECRET_A, CLIENT, NOW_US, nameplate="1314")
    assert place.nameplate == "1314"
    assert await sut.open(SECRET_A, CLIENT, NOW_US, nameplate="1314") == place
    refused = await refusal(sut.open(SECRET_C, CLIENT, NOW_US, nameplate="1314"))
    assert refused.word is ProblemWord.CROWDED
    assert (await sut.join("1314", SECRET_B, CLIENT, NOW_US)).session == place.session


async def test_session_expires_after_its_last_request() -> None:
    sut = store(ttl_us=600 * S)
    place = await sut.open(SECRET_A, CLIENT, NOW_US)
    await sut.partner(who(place, "a"), NOW_US + 500 * S)
    await sut.join(place.nameplate, SECRET_B, CLIENT, NOW_US + 1099 * S)
    nobody = Credentials("7", "f" * 32, "a", secret_digest(SECRET_A), CLIENT)
    await sut.leave(nobody, Reason.DONE, NOW_US)
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

"""What the store passes on between two peers: their PAKE messages, and their wish for a relay."""

from __future__ import annotations

from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import Reason
from rendezvous.store import Partner
from tests.fakes.server import NOW_US, SECRET_A, SECRET_B, SECRET_C
from tests.unit.rendezvous.stores import (
    CLIENT,
    PAKE_A,
    PAKE_B,
    PAKE_C,
    S,
    pair,
    proven,
    refusal,
    store,
    who,
)


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

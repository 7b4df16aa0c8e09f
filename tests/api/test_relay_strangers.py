"""The relay lets in who has a ticket, once, and tells everybody else why not."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from rendezvous.descriptors import REFUSALS
from rendezvous.protocol.relay import HEADER_OCTETS, Status
from tests.api.relaying import OTHER_SESSION, Streams, header, relaying, said, sit_down
from tests.api.server import until


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1".ljust(HEADER_OCTETS), Status.MALFORMED),
        (b"\x16\x03\x01".ljust(HEADER_OCTETS, b"\0"), Status.MALFORMED),
        (header("a")[:-1] + b"!", Status.FORBIDDEN),
        (header("a", life_us=-1), Status.EXPIRED),
    ],
    ids=["http", "tls", "forged", "expired"],
)
async def test_stranger_is_told_why_and_its_connection_closed(data: bytes, status: Status) -> None:
    async with relaying() as (relay, connect), connect() as stranger:
        assert await said(stranger, data) is status
        assert await stranger[0].read() == b""
        await until(lambda: not relay.ends)


async def test_ticket_of_one_seat_for_the_other_is_forbidden() -> None:
    ticket = bytearray(header("a"))
    ticket[7] = ord("b")
    async with relaying() as (_, connect), connect() as thief:
        assert await said(thief, bytes(ticket)) is Status.FORBIDDEN


async def test_second_connection_for_a_seat_is_refused_and_the_first_stays() -> None:
    async with relaying() as (_, connect), connect() as a, connect() as again, connect() as b:
        assert await said(a, header("a")) is Status.WAITING
        assert await said(again, header("a")) is Status.TAKEN
        assert await said(b, header("b")) is Status.GO
        assert await said(a) is Status.GO


async def test_third_is_refused_and_the_pair_goes_on() -> None:
    async with relaying() as (_, connect), connect() as a, connect() as b, connect() as third:
        await sit_down(a, b)
        for seat in ("a", "b"):
            async with connect() as third:
                assert await said(third, header(seat)) is Status.TAKEN
        a[1].write(b"hello")
        assert await b[0].readexactly(5) == b"hello"


async def test_ticket_that_was_shown_is_worth_nothing_afterwards() -> None:
    ticket = header("a")
    async with relaying() as (relay, connect):
        async with connect() as a:
            assert await said(a, ticket) is Status.WAITING
        await until(lambda: not relay.ends)
        async with connect() as replayed:
            assert await said(replayed, ticket) is Status.TAKEN
        async with connect() as a, connect() as b:
            await sit_down(a, b)


async def test_client_that_speaks_before_go_is_dropped_and_the_seat_is_free() -> None:
    async with relaying() as (relay, connect), connect() as a, connect() as b:
        async with connect() as eager:
            assert await said(eager, header("a") + b"!") is Status.WAITING
            assert await said(eager) is Status.MALFORMED
            assert await eager[0].read() == b""
        await until(lambda: not relay.ends - {end for end in relay.ends if end.place is None})
        await sit_down(a, b)


@pytest.mark.parametrize("octets", [0, 1, HEADER_OCTETS - 1])
async def test_client_that_does_not_end_its_header_is_dropped(octets: int) -> None:
    async with relaying(header_s=0.05) as (relay, connect), connect() as slow:
        assert await said(slow, header("a")[:octets]) is Status.MALFORMED
        assert await slow[0].read() == b""
        await until(lambda: not relay.ends)


@pytest.mark.parametrize("octets", [0, 20, HEADER_OCTETS])
async def test_client_that_goes_away_again_leaves_nothing_behind(octets: int) -> None:
    async with relaying() as (relay, connect):
        async with connect() as gone:
            gone[1].write(header("a")[:octets])
            gone[1].write_eof()
            await gone[0].read()
        await until(lambda: not relay.ends)
        async with connect() as a, connect() as b:
            await sit_down(a, b)


async def test_client_whose_partner_never_comes_hears_so() -> None:
    async with relaying(wait_s=0.05) as (relay, connect), connect() as a:
        assert await said(a, header("a")) is Status.WAITING
        assert await said(a) is Status.ALONE
        await until(lambda: not relay.ends)


async def test_session_above_the_number_of_pairs_is_refused_and_a_partner_is_not() -> None:
    async with relaying(pairs=1) as (_, connect), connect() as a, connect() as b:
        assert await said(a, header("a")) is Status.WAITING
        async with connect() as other:
            assert await said(other, header("a", OTHER_SESSION)) is Status.FULL
        assert await said(b, header("b")) is Status.GO


async def test_client_above_a_limit_is_told_when_it_has_shown_its_ticket() -> None:
    for limit, status in (("per_client", Status.TOO_MANY), ("connections", Status.FULL)):
        async with relaying(**{limit: 2}) as (_, connect), connect() as a, connect() as b:
            await sit_down(a, b)
            async with connect() as above:
                assert await said(above, header("a", OTHER_SESSION)) is status


async def test_strangers_in_all_places_make_room_for_who_has_a_ticket() -> None:
    async with relaying(connections=3) as (relay, connect), contextlib.AsyncExitStack() as stack:
        strangers: list[Streams] = []
        for _ in range(3):
            strangers.append(await stack.enter_async_context(connect()))
            await until(lambda: len(relay.ends) == len(strangers))
        async with connect() as a:
            # The one that came first goes, and hears why.
            assert await said(a, header("a")) is Status.WAITING
            assert await said(strangers[0]) is Status.FULL
            async with connect() as b:
                assert await said(b, header("b")) is Status.GO
                assert await said(strangers[1]) is Status.FULL
                assert await said(strangers[2], header("a", OTHER_SESSION)) is Status.WAITING
                async with connect() as late:
                    assert await said(late, header("b", OTHER_SESSION)) is Status.FULL
        await until(lambda: len(relay.ends) == 1)


async def test_crowd_above_a_limit_is_dropped_without_a_word() -> None:
    async with relaying(connections=1) as (relay, connect), contextlib.AsyncExitStack() as stack:
        seated = await stack.enter_async_context(connect())
        assert await said(seated, header("a")) is Status.WAITING
        crowd = [await stack.enter_async_context(connect()) for _ in range(REFUSALS + 10)]
        await until(lambda: relay.refusing == REFUSALS)
        cut = 0
        for reader, _ in crowd:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    with contextlib.suppress(ConnectionError):
                        await reader.read()
                    cut += 1
        assert cut == len(crowd) - REFUSALS


async def test_relay_that_stops_tells_who_waits_and_ends_who_is_joined() -> None:
    async with relaying() as (relay, connect), connect() as a, connect() as b, connect() as c:
        await sit_down(a, b)
        assert await said(c, header("a", OTHER_SESSION)) is Status.WAITING
        relay.close()
        assert await said(c) is Status.GOING_AWAY
        with contextlib.suppress(ConnectionError):
            assert await a[0].read() == b""
        await until(lambda: not relay.ends)

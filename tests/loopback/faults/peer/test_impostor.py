"""Somebody else at the partner's appointed endpoint: dropped, told nothing, and named."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

import pytest

from peer.core.greeting import GreetingDecoder, Hello, Proof, Select
from peer.core.proof import NONCE_BYTES, Place
from rendezvous.protocol.messages import Reason
from tests.loopback.faults.peer.manners import (
    FACTS,
    Talk,
    echo,
    hanging_up_after,
    hello_of,
    hellos_without_end,
    own_hello,
    proven,
    replayed_proof,
    saying,
    silence,
    truncated_hello,
    unproven_selection,
    wrong_proof,
)
from tests.loopback.faults.peer.partner import Line, Manner, Partner, partner, playing
from tests.loopback.faults.peer.process import ended, event, failure, happened
from tests.loopback.programs import Peer

SECRET_WORDS = b"for the partner only\n"
STRANGERS: dict[str, Manner] = {
    "another protocol": saying(b"SSH-2.0-Stranger\r\n"),
    "HTTP": hanging_up_after(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
    "zeros": saying(bytes(4096)),
    "a longer hello": saying(b"\x01\xff\xff" + bytes(65535)),
    "an empty proof": saying(b"\x02\x00\x00"),
    "half a hello": hanging_up_after(b"\x01\x00\x3bmidair"),
    "hellos without end": hellos_without_end,
    "another version": hello_of(lambda line: replace(own_hello(line), version=2)),
    "another session": hello_of(lambda line: Hello(Place(bytes(16), 1, 0), bytes(NONCE_BYTES))),
    "another pair": hello_of(
        lambda line: Hello(replace(line.place, pair=line.place.pair + 1), bytes(NONCE_BYTES))
    ),
    "our own words": echo,
    "a selection unproven": unproven_selection,
    "nothing, and the end": hanging_up_after(b""),
}
"""Who says something that no partner says is no partner, and that is all."""
LIARS: dict[str, Manner] = {"a wrong proof": wrong_proof, "our own proof": replayed_proof}
"""Who offers a proof claims to know the code."""
MUTES: dict[str, Manner] = {"nothing": silence, "most of a hello": truncated_hello}
EVERYBODY = STRANGERS | LIARS | MUTES
NOT_SELECTED = (
    "not_selected",
    "no path: a connection opened, but the far end broke it or never proved to be your partner",
)
WRONG_CODE = (
    "authentication",
    "whoever answered at your partner's address could not prove to be your partner, or the "
    "rendezvous told the two of you different things",
)


def groups(names: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Divide what is tried at once, a pair each; the last group is filled up from the first."""
    return [
        tuple(names[(start + offset) % len(names)] for offset in range(size))
        for start in range(0, len(names), size)
    ]


def told_only_greetings(lines: Sequence[Line]) -> bool:
    """Whether all that was heard on these is hellos and proofs."""
    for line in lines:
        decoder = GreetingDecoder()
        decoder.feed(bytes(line.heard))
        while (message := decoder.next()) is not None:
            assert isinstance(message, Hello | Proof)
        assert decoder.wanted == 3, line.heard
    return True


async def meet(played: Partner, *words: str, listens: bool) -> Peer:
    """Start the real peer, and take the other seat."""
    common = ("--json", *words)
    if listens:
        started = Peer("listen", *common, url=played.url)
        await played.join((await event(started, "code"))["code"])
    else:
        started = Peer("connect", await played.open(), *common, url=played.url)
        await played.wait()
    return started


@pytest.mark.parametrize("who", groups(list(STRANGERS), 4), ids=" + ".join)
async def test_strangers_when_on_every_pair_end_as_not_selected(
    url: str, who: tuple[str, ...]
) -> None:
    async with partner(url, dict(enumerate(STRANGERS[name] for name in who))) as strangers:
        with await meet(strangers, listens=True) as one:
            async with playing(strangers):
                assert await ended(one, SECRET_WORDS) == (5, b"")
                assert (await strangers.ended).left is Reason.NOT_SELECTED
            assert failure(one) == NOT_SELECTED
            assert happened(one.events).count("missed") == 3
            assert "connected" not in happened(one.events)
            assert len(strangers.lines) == 12
            assert told_only_greetings(strangers.lines)


@pytest.mark.parametrize("who", LIARS)
async def test_liars_when_on_every_pair_end_as_a_wrong_code(url: str, who: str) -> None:
    async with partner(url, dict.fromkeys(range(4), LIARS[who])) as liars:
        with await meet(liars, listens=True) as one:
            async with playing(liars):
                assert await ended(one, SECRET_WORDS) == (6, b"")
                assert (await liars.ended).left is Reason.AUTHENTICATION
            assert failure(one) == WRONG_CODE
            # A guess more would be one too many.
            assert happened(one.events).count("missed") == 1
            assert told_only_greetings(liars.lines)


async def test_mutes_when_on_every_pair_end_with_the_time(url: str) -> None:
    async with partner(url, dict(enumerate([*MUTES.values()] * 2))) as mutes:
        with await meet(mutes, "--timeout", "2", listens=True) as one:
            async with playing(mutes):
                assert await ended(one, SECRET_WORDS) == (5, b"")
                assert (await mutes.ended).left is Reason.TIMEOUT
            assert failure(one) == ("timeout", "no path: no connection within the time given")
            assert len(mutes.lines) == 4
            assert told_only_greetings(mutes.lines)


@pytest.mark.parametrize(
    ("who", "listens"),
    # In turn the peer is initiator and responder.
    list(zip(groups(list(EVERYBODY), 3), cycle([True, False]))),
    ids=repr,
)
async def test_partner_when_strangers_have_the_other_pairs_still_wins(
    url: str, who: tuple[str, ...], listens: bool
) -> None:
    true = Talk(b"it is me\n")
    bad = dict(enumerate(EVERYBODY[name] for name in who))
    async with partner(url, {**bad, 3: true}) as played:
        with await meet(played, listens=listens) as one:
            async with playing(played):
                assert await ended(one, SECRET_WORDS) == (0, b"it is me\n")
                assert true.heard == SECRET_WORDS
            connected = next(e for e in one.events if e["event"] == "connected")
            assert (connected["attempt"], connected["pair"]) == (1, 3)
            assert told_only_greetings([line for line in played.lines if line.place.pair != 3])


async def test_partner_when_it_proves_itself_late_still_wins(url: str) -> None:
    """Three wrong proofs come first; the fourth pair's greeting only after they were dropped."""
    dropped = [asyncio.Event() for _ in range(3)]

    async def lie(line: Line) -> None:
        await wrong_proof(line)
        while not line.closed.is_set():
            await line.hear()
        dropped[line.place.pair].set()

    true = Talk(b"late")

    async def late(line: Line) -> None:
        for one in dropped:
            await one.wait()
        await true(line)

    async with partner(url, {0: lie, 1: lie, 2: lie, 3: late}) as played:
        with await meet(played, listens=True) as one:
            async with playing(played):
                assert await ended(one) == (0, b"late")


@pytest.mark.parametrize("listens", [True, False], ids=["initiator", "responder"])
async def test_partner_when_it_proves_itself_and_never_selects_ends_with_the_time(
    url: str, listens: bool
) -> None:
    async with partner(url, dict.fromkeys(range(4), proven)) as played:
        with await meet(played, "--timeout", "1", listens=listens) as one:
            async with playing(played):
                assert await ended(one, SECRET_WORDS) == (5, b"")
            assert failure(one)[0] == "timeout"
            assert all(SECRET_WORDS not in line.heard for line in played.lines)


async def test_selection_when_the_wrong_role_makes_it_spends_the_pair(url: str) -> None:
    """Only an initiator selects: a responder that does so is dropped."""

    async def usurp(line: Line) -> None:
        await proven(line)
        await line.greet(Select(FACTS))

    async with partner(url, dict.fromkeys(range(4), usurp)) as played:
        with await meet(played, listens=True) as one:
            async with playing(played):
                assert (await ended(one, SECRET_WORDS))[0] == 5
            assert failure(one) == NOT_SELECTED

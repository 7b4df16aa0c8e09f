"""A wrong code: both sides are told, the session is burned, and a new one is not."""

from __future__ import annotations

import asyncio

from peer.core.code import Code
from tests.loopback.faults.peer.manners import Talk, wrong_proof
from tests.loopback.faults.peer.partner import partner, playing
from tests.loopback.faults.peer.process import ended, event, failure, happened
from tests.loopback.programs import Peer, finish_both

SENTENCE = (
    "your partner does not know the code: the two codes are not the same, or it is a stranger"
)
HINT = "This code is used up: run `midair listen` again and copy the new one exactly"


async def test_code_when_wrong_ends_both_with_6_and_is_used_up_but_no_other_is(url: str) -> None:
    with Peer("listen", "--json", url=url) as one:
        code = Code.parse((await event(one, "code"))["code"])
        wrong = Code(code.nameplate, bytes(octet ^ 1 for octet in code.secret))
        with Peer("connect", str(wrong), "--json", url=url) as other:
            endings = await asyncio.to_thread(finish_both, one, other, b"mine\n", b"yours\n")
        assert endings == ((6, b""), (6, b""))
        for peer in (one, other):
            assert failure(peer) == ("authentication", SENTENCE)
            assert peer.events[-1]["hint"] == HINT
            # One guess, and no SYN for it.
            assert not {"appointment", "shot", "missed"} & set(happened(peer.events))
            assert "Traceback" not in peer.said

    with Peer("connect", str(code), "--json", url=url) as third:
        assert await ended(third) == (3, b"")
        assert failure(third)[0] == "nameplate_unknown"
        assert f"nobody waits under {code.nameplate}" in third.events[-1]["message"]

    true = Talk(b"hello\n")
    async with partner(url, {0: true}) as played:
        with Peer("listen", "--json", url=url) as again:
            await played.join((await event(again, "code"))["code"])
            async with playing(played):
                assert await ended(again, b"and hello\n") == (0, b"hello\n")
    assert true.heard == b"and hello\n"


async def test_strangers_wrong_proof_keeps_nobody_from_coming_until_the_deadline(url: str) -> None:
    # The partner has proven before that it knows the code: it may still be under way.
    async with partner(url, {0: wrong_proof}) as played:
        with Peer("listen", "--json", url=url) as one:
            await played.join((await event(one, "code"))["code"])
            async with playing(played):
                assert (await ended(one, b"mine\n"))[0] == 6
            appointed, missed = (
                next(e["t_ms"] for e in one.events if e["event"] == name)
                for name in ("appointment", "missed")
            )
            plan = played.appointments[0]
            assert missed - appointed >= (plan.deadline_us - plan.instant_us) / 1000

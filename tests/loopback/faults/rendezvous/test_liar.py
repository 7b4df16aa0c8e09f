"""A rendezvous that lies, to one peer or to both: they end with exit code 6, and in words.

Whatever it says, no byte of a user's leaves, and nobody hangs.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from peer.core.code import Code
from peer.core.pake import Exchange
from tests.loopback.faults.rendezvous.exchanges import answering
from tests.loopback.faults.rendezvous.relay import Kind, Relay
from tests.loopback.faults.rendezvous.server import Server
from tests.loopback.programs import PATIENCE_S, Peer, finish_both

MINE, YOURS = b"mine alone\n", b"yours alone\n"
NOT_KNOWN = "your partner does not know the code"
NOT_PROVEN = "or the rendezvous told the two of you different things"
HEARD = "your partner could not be sure that you are its partner"
Lie = Callable[[dict[str, Any]], None]


def plan(change: Lie) -> Lie:
    """Change an appointment, where an answer has one."""

    def told(answer: dict[str, Any]) -> None:
        if answer.get("appointment"):
            change(answer["appointment"])

    return told


def both_end(one_url: str, other_url: str, *codes: str) -> tuple[str, str]:
    """Let two peers meet, each at its own rendezvous; returns what they say of it."""
    with contextlib.ExitStack() as stack:
        given = ("--code", codes[0]) if codes else ()
        one = stack.enter_context(Peer("listen", "--json", *given, url=one_url))
        code = codes[0] if codes else one.wait_for("code")["code"]
        one.wait_for("waiting")
        other = stack.enter_context(Peer("connect", code, "--json", url=other_url))
        assert finish_both(one, other, MINE, YOURS) == ((6, b""), (6, b""))
        for peer in (one, other):
            assert peer.events[-1]["verdict"] == "authentication"
            assert "connected" not in [event["event"] for event in peer.events]
            assert "Traceback" not in peer.said
        first, second = (peer.events[-1]["message"] for peer in (one, other))
        return first, second


def another_certificate(appointment: dict[str, Any]) -> None:
    appointment["partner"]["certificate"] = "c" * 64


def another_proof(appointment: dict[str, Any]) -> None:
    appointment["partner"]["proof"] = "c" * 64


def later(appointment: dict[str, Any]) -> None:
    appointment["instant_us"] += 1_000


def another_role(appointment: dict[str, Any]) -> None:
    appointment["role"] = "initiator"


def more_time(appointment: dict[str, Any]) -> None:
    appointment["deadline_us"] += 1


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (another_certificate, NOT_KNOWN),
        (another_proof, NOT_KNOWN),
        (later, NOT_PROVEN),
        (another_role, NOT_PROVEN),
        (more_time, NOT_PROVEN),
    ],
)
def test_plan_when_one_peer_is_told_another_ends_both_with_6(
    server: Server, between: Relay, lie: Lie, words: str
) -> None:
    between.always_does(Kind.REPORT, answering(plan(lie)))

    one, other = both_end(server.url, between.url)
    assert words in other
    # The other one finds it out by itself, or hears it.
    assert any(text in one for text in (words, HEARD))


def test_key_exchange_when_the_rendezvous_takes_part_ends_both_with_6(
    server: Server, between: Relay
) -> None:
    """It plays the partner of each with a guess at the words, and is wrong."""

    def guess(answer: dict[str, Any]) -> None:
        if answer.get("partner_pake"):
            stranger = Exchange(b"crossover-zulu", answer["nameplate"], secrets.token_bytes)
            answer["partner_pake"] = stranger.message.hex()

    between.always_does(Kind.JOIN, answering(guess))
    for text in both_end(server.url, between.url, code_with_a_free_nameplate()):
        assert NOT_KNOWN in text


def test_key_exchange_when_the_message_is_none_ends_both_with_6(
    server: Server, between: Relay
) -> None:
    def garble(answer: dict[str, Any]) -> None:
        answer["partner_pake"] = "53" + "f" * 64

    between.always_does(Kind.JOIN, answering(garble))
    one, other = both_end(server.url, between.url, code_with_a_free_nameplate())
    assert "no key could be agreed" in other
    assert HEARD in one


def test_report_when_it_is_an_old_one_again_ends_both_with_6(
    server: Server, between: Relay
) -> None:
    """The listener's identity of a session is shown to its partner in the next one."""
    old: list[dict[str, Any]] = []

    def replay(appointment: dict[str, Any]) -> None:
        old.append(appointment["partner"])
        appointment["partner"] = old[0]

    between.always_does(Kind.REPORT, answering(plan(replay)))
    words = code_with_a_free_nameplate().partition("-")[2]
    with Peer("listen", "--json", "--code", f"{free_nameplate()}-{words}", url=server.url) as one:
        nameplate = one.wait_for("waiting")["nameplate"]
        with Peer("connect", f"{nameplate}-{words}", "--json", url=between.url) as other:
            assert finish_both(one, other, b"x", b"y") == ((0, b"y"), (0, b"x"))

    _, told = both_end(server.url, between.url, f"{free_nameplate()}-{words}")
    assert NOT_KNOWN in told
    assert len(old) == 2


def test_addresses_when_they_are_a_middleman_s_end_both_with_6(between: Relay) -> None:
    """He carries what the two say to each other, and may be found on the path as well."""
    with middleman() as ends:

        def divert(appointment: dict[str, Any]) -> None:
            (first, *_) = appointment["pairs"]
            first["remote"] = ends[appointment["role"]]
            appointment["pairs"] = [first]

        between.always_does(Kind.REPORT, answering(plan(divert)))
        for text in both_end(between.url, between.url):
            assert NOT_PROVEN in text or HEARD in text


def test_addresses_when_the_lie_about_them_is_the_same_to_both_end_both_with_6(
    between: Relay,
) -> None:
    """Each is told that its partner was told to call the middleman: the plans are one plan."""
    with middleman() as ends:
        partners = {"initiator": "responder", "responder": "initiator"}

        def divert(appointment: dict[str, Any]) -> None:
            (first, *_) = appointment["pairs"]
            first["remote"] = ends[appointment["role"]]
            first["own"] = ends[partners[appointment["role"]]]
            appointment["pairs"] = [first]

        between.always_does(Kind.REPORT, answering(plan(divert)))
        for text in both_end(between.url, between.url):
            assert "the rendezvous told your partner to fire at 127.0.0.1:" in text


def free_nameplate() -> str:
    """Draw a nameplate that nobody else has."""
    return str(100_000_000 + secrets.randbelow(10**8))


def code_with_a_free_nameplate() -> str:
    """Make a code that two users agree on."""
    return str(Code(free_nameplate(), secrets.token_bytes(2)))


@contextlib.contextmanager
def middleman() -> Iterator[dict[str, str]]:
    """Listen at two ports, and carry bytes between the first who calls each."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]

        def carry() -> None:
            with contextlib.suppress(OSError), contextlib.ExitStack() as calls:
                ends = [calls.enter_context(listener.accept()[0]) for listener in listeners]
                other = dict(zip(ends, reversed(ends), strict=True))
                while True:
                    for ready in select.select(ends, [], [], PATIENCE_S)[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        other[ready].sendall(data)

        thread = threading.Thread(target=carry)
        thread.start()
        names = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
        try:
            yield dict(zip(("initiator", "responder"), names, strict=True))
        finally:
            for listener in listeners:
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)

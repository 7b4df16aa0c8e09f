"""The Python interface, where no network is needed: arguments, and who closes a socket."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import peer
from peer import api
from peer.io.attempt import Won
from tests.unit.peer.test_present import CONNECTED

URL = "http://127.0.0.1:9"


@dataclass
class Hanging:
    """A session that connects at once, and whose rendezvous then never answers."""

    sock: socket.socket
    goodbyes: int = 0

    async def run(self) -> Won:
        return Won(self.sock, CONNECTED)

    async def goodbye(self) -> None:
        self.goodbyes += 1
        await asyncio.Event().wait()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    made = Hanging(ours)
    monkeypatch.setattr(api, "Session", lambda *_, **__: made)
    with ours, theirs:
        yield made


async def test_punch_when_cancelled_while_it_says_goodbye_closes_the_socket(
    session: Hanging,
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await peer.punch(rendezvous=URL)

    assert (session.goodbyes, session.sock.fileno()) == (1, -1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout_s": math.nan},
        {"timeout_s": math.inf},
        {"timeout_s": 0},
        {"ntp": ["a:b"]},
        {"relay": "perhaps"},
    ],
)
def test_arguments_when_they_make_no_sense_are_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(peer.UsageError, match="makes no sense"):
        peer.listen(rendezvous=URL, on_code=print, **wrong)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"on_code": print, "words": 17}, "2 to 16 words"),
        ({}, "somebody must hear of the code"),
        ({"secret": "short"}, "that is no secret"),
    ],
)
def test_listen_when_nobody_could_join_is_a_usage_error(given: dict[str, Any], words: str) -> None:
    with pytest.raises(peer.UsageError, match=words):
        peer.listen(rendezvous=URL, **given)


@pytest.mark.parametrize("given", [{}, {"code": "42-crossover-clockwork", "secret": "a" * 26}])
def test_connect_when_not_told_one_of_code_and_secret_is_a_usage_error(
    given: dict[str, Any],
) -> None:
    with pytest.raises(peer.UsageError, match="a code or a secret"):
        peer.connect(rendezvous=URL, **given)

"""A crowd of waiting peers: each has opened a session and polls for a partner.

Each asks for as long a poll as the protocol allows, 25 s. midair's own peers ask for 10 s, so that
an answer which is swallowed without a word costs little: they poll two and a half times as often.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.bench.load.asking import LoadError
from lab.bench.load.http import Answer, Connection, get, post
from lab.bench.load.pairing import POLL_US, Target

PER_ADDRESS = 60
"""Waiters from one client address: the server takes at most 64 connections from one."""
_AT_ONCE = 100
_SHORTEST_US = 5_000_000
_HEARD_WITHIN_S = 30.0
GOING_AWAY = 503


def address(number: int) -> str:
    """Return the loopback address that a waiter comes from."""
    group = number // PER_ADDRESS
    return f"127.{1 + group // 250}.{1 + group % 250}.1"


@dataclass(slots=True)
class Crowd:
    """Waiting peers, and what became of their polls."""

    target: Target
    count: int
    polls: int = 0
    """Requests parked so far; each waiter polls again when its poll ends without a partner."""
    woken: int = 0
    refused: int = 0
    """Told that the server is going away."""
    lost: list[str] = field(default_factory=list)
    """What went wrong with the others."""
    _waiting: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """By the session's path."""

    async def park(self, group: asyncio.TaskGroup) -> None:
        """Open every session, and have every poll parked.

        Args:
            group: where they wait.
        """
        gate = asyncio.Semaphore(_AT_ONCE)

        async def sit_down(number: int) -> None:
            async with gate:
                connection = await Connection.open(self.target.http, address(number))
                secret = secrets.token_hex(32)
                answer = await connection.ask(
                    post("/v1/sessions", {"version": 1, "secret": secret})
                )
                if answer.status != 201:
                    raise LoadError(f"waiter {number}: {answer.status} {answer.body!r}")
                opened = answer.json()
                path = f"/v1/sessions/{opened['nameplate']}"
                seat = {
                    "version": 1,
                    "session": opened["session"],
                    "seat": "a",
                    "secret": secret,
                }
                poll = self._poll(connection, f"{path}/wait", seat)
                self._waiting[path] = group.create_task(poll)

        async with asyncio.TaskGroup() as opening:
            for number in range(self.count):
                opening.create_task(sit_down(number))
        await self._fence()

    async def _fence(self) -> None:
        # A server takes octets in the order in which they came: what is answered now came last.
        connection = await Connection.open(self.target.http, address(self.count))
        for _ in range(3):
            await connection.ask(get("/livez"))
        await connection.ask(get("/livez", last=True))
        await connection.lost

    async def _poll(self, connection: Connection, path: str, seat: dict[str, Any]) -> None:
        # Peers come one by one, and so their polls do not end all at once.
        wait_us = random.randint(_SHORTEST_US, POLL_US)
        try:
            while True:
                self.polls += 1
                answer = await connection.ask(post(path, {**seat, "wait_us": wait_us}))
                if self._is_over(answer):
                    break
                wait_us = POLL_US
        except LoadError as error:
            self.lost.append(str(error))
        finally:
            connection.close()

    def _is_over(self, answer: Answer) -> bool:
        if answer.status == 200 and answer.json()["partner"]:
            self.woken += 1
        elif answer.status == 200:
            return False
        elif answer.status == GOING_AWAY and b"retry-after" in answer.head.lower():
            self.refused += 1
        else:
            self.lost.append(f"{answer.status} {answer.body!r}")
        return True

    async def join(self, number: int) -> None:
        """Let so many partners come, and wait until their waiters have heard of it."""
        paths = list(self._waiting)[:number]
        connection = await Connection.open(self.target.http, address(self.count))
        for path in paths:
            secret = secrets.token_hex(32)
            answer = await connection.ask(post(f"{path}/join", {"version": 1, "secret": secret}))
            if answer.status != 200:
                raise LoadError(f"{path}/join: {answer.status} {answer.body!r}")
        connection.close()
        await asyncio.wait([self._waiting[path] for path in paths], timeout=_HEARD_WITHIN_S)

    @property
    def still_waiting(self) -> Sequence[asyncio.Task[None]]:
        """Those who wait for a partner."""
        return [task for task in self._waiting.values() if not task.done()]

"""Long polls: requests that are parked until their session changes.

A parked request ends at the first of: an answer, its time, the client's going
away (FIN or RST), the server's.  uvicorn does not cancel a handler whose client
is gone, so each one listens for ``http.disconnect`` itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request

from rendezvous.middleware import caller_of
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.times import US_PER_S
from rendezvous.refusal import Refused
from rendezvous.store import Store

RETRY_AFTER_US = 2 * US_PER_S
"""What a restart of this server takes."""
MAX_PARKED_PER_SESSION = 8
"""Two peers, each with a few connections that a network has swallowed."""

Answer = TypeVar("Answer")


class _Parked:
    """One parked request: why it shall look up, besides a change of its session."""

    __slots__ = ("_stirred", "over")

    def __init__(self) -> None:
        self.over = False
        self._stirred = asyncio.get_running_loop().create_future()

    def stir(self) -> None:
        if not self._stirred.done():
            self._stirred.set_result(None)

    def end(self) -> None:
        self.over = True
        self.stir()

    async def until_stirred(self) -> None:
        await self._stirred
        self._stirred = asyncio.get_running_loop().create_future()


class Parking:
    """Every parked request of one server."""

    def __init__(self, store: Store, longest_us: int) -> None:
        """Park on the sessions of a store, nobody for more than ``longest_us``."""
        self._store = store
        self._longest_us = longest_us
        self._parked: dict[str, list[_Parked]] = {}
        self.draining = False

    def __len__(self) -> int:
        """Return how many requests are parked."""
        return sum(map(len, self._parked.values()))

    def drain(self) -> None:
        """Refuse every parked request, and every later one, with ``going_away``."""
        self.draining = True
        for parked in self._parked.values():
            for one in parked:
                one.end()

    async def wait(
        self,
        request: Request,
        name: str,
        wait_us: int,
        ask: Callable[[], Awaitable[Answer | None]],
    ) -> Answer | None:
        """Park a request.

        Args:
            request: whose body has been read.
            name: the session that it waits for, or the nameplate.
            wait_us: how long at most, as far as this server parks so long; 0: ask once.
            ask: called now and at every change of the session.

        Returns:
            The first answer, or None when there was none in time.

        Raises:
            Refused: by ``ask``, or ``going_away``.
        """
        if wait_us == 0:
            return await ask()
        seconds = min(wait_us, self._longest_us) / US_PER_S
        me = _Parked()
        neighbours = self._parked.setdefault(name, [])
        neighbours.append(me)
        if len(neighbours) > MAX_PARKED_PER_SESSION:
            neighbours[-1 - MAX_PARKED_PER_SESSION].end()
        unwatch = self._store.watch(name, me.stir)
        timer = asyncio.get_running_loop().call_later(seconds, me.end)
        caller = caller_of(request.scope)
        caller.on_leaving = me.end
        try:
            while True:
                answer = await ask()
                if answer is not None:
                    return answer
                if self.draining:
                    raise going_away()
                if me.over or caller.has_left:
                    return None
                await me.until_stirred()
        finally:
            caller.on_leaving = None
            timer.cancel()
            unwatch()
            neighbours.remove(me)
            if not neighbours:
                self._parked.pop(name, None)


def going_away() -> Refused:
    """Return the refusal of a server that shuts down."""
    return Refused(
        ProblemWord.GOING_AWAY,
        "the server is shutting down: ask again, it may be back by then",
        retry_after_us=RETRY_AFTER_US,
    )

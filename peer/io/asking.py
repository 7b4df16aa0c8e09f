"""A request to the rendezvous, sent again until it is answered or in vain.

Not for what is asked: :mod:`peer.io.signaling`. What a person should read about a refusal comes out
of here as one of :mod:`peer.errors`; no httpx exception leaves this module.
"""

from __future__ import annotations

from collections.abc import Callable

from peer.core.times import MonoNs
from peer.errors import RendezvousError
from peer.io.answers import (
    RETRY,
    Answer,
    error_of,
    parse,
    problem_of,
    retry_after_ns,
    unreachable,
)
from peer.io.clock import Clock
from peer.io.http import Http
from peer.io.lean import httpx
from peer.io.resolve import resolve
from rendezvous.protocol.messages import Message
from rendezvous.protocol.times import NS_PER_MS, NS_PER_S

FIRST_TRIES_NS = 2 * NS_PER_S
"""A rendezvous that was never reached is given up after this: most likely the URL is wrong."""
LATER_TRIES_NS = 25 * NS_PER_S
"""One that was reached is being restarted."""
PAUSE_NS = (100 * NS_PER_MS, 200 * NS_PER_MS, 400 * NS_PER_MS, 800 * NS_PER_MS)
"""Pauses between tries; the last one repeats."""


class Asking:
    """One peer's requests; :meth:`aclose` it."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Check the URL; nothing is sent yet.

        Args:
            url: ``http://`` or ``https://`` and a host.
            clock: for pauses.

        Raises:
            UsageError: the URL is not one.
        """
        self._http = Http(url)
        self.url, self.host = self._http.url, self._http.host
        self.addresses: tuple[str, ...] = ()
        """Of the rendezvous; known once it was asked for anything."""
        self.trouble: RendezvousError | None = None
        """What is the matter with the request that is being tried again; None: nothing."""
        self._clock = clock
        self._reached = False

    async def aclose(self) -> None:
        """Close the connections to the rendezvous; harmless when they are closed."""
        await self._http.aclose()

    async def tell(self, path: str, message: Message) -> None:
        """Send a message once; nobody waits for what is answered.

        Args:
            path: of the URL.
            message: sent as JSON.
        """
        await self._http.tell(path, message.model_dump_json())

    async def post(
        self,
        path: str,
        message: Message,
        answer: type[Answer],
        parked_us: int = 0,
        meanwhile: Callable[[], None] | None = None,
    ) -> Answer:
        """Send a message.

        Args:
            path: of the URL.
            message: sent as JSON.
            answer: what it is answered with.
            parked_us: how long the server may keep it waiting.
            meanwhile: called when it is sent and its answer on its way.

        Returns:
            The answer.

        Raises:
            RendezvousError: it says no, or nobody answers.
        """

        async def trace(name: str, _: object) -> None:
            if name == "http11.receive_response_headers.started" and meanwhile is not None:
                meanwhile()

        extensions: dict[str, object] = {} if meanwhile is None else {"trace": trace}
        content = message.model_dump_json()
        return await self.send("POST", path, content, answer, extensions, parked_us)

    async def send(
        self,
        method: str,
        path: str,
        content: str | None,
        answer: type[Answer],
        extensions: dict[str, object],
        parked_us: int = 0,
    ) -> Answer:
        """Send a request; as :meth:`post`.

        Args:
            method: GET or POST.
            path: of the URL.
            content: JSON, or None.
            answer: what it is answered with.
            extensions: httpx's.
            parked_us: how long the server may keep it waiting.
        """
        if not self.addresses:
            await self._look_up()
        failed_at: MonoNs | None = None
        tries = 0
        while True:
            try:
                said = await self._http.ask(
                    method, path, content, parked_us=parked_us, extensions=extensions
                )
                self._reached, self.trouble = True, None
                if said.success:
                    return parse(said, answer, self.host)
                problem = problem_of(said)
                error: RendezvousError = error_of(problem, self.url)
                again = problem.word in RETRY
                pause_ns = retry_after_ns(said)
            except httpx.RequestError as failure:
                error, again, pause_ns = unreachable(self.url, failure), True, 0
            now = self._clock.now()
            # From the first failure on: how long the request was parked before is no failure.
            failed_at = now if failed_at is None else failed_at
            pause_ns = pause_ns or PAUSE_NS[min(tries, len(PAUSE_NS) - 1)]
            tries += 1
            patience_ns = LATER_TRIES_NS if self._reached else FIRST_TRIES_NS
            if not again or now + pause_ns > failed_at + patience_ns:
                raise error
            self.trouble = error
            await self._clock.sleep_until(MonoNs(now + pause_ns))

    async def _look_up(self) -> None:
        # httpx looks the name up again, in a thread that a program waits for when it ends: not
        # before it is known that somebody answers.
        try:
            targets = await resolve(self.host, 0)
        except OSError as error:
            raise unreachable(self.url, error) from None
        self.addresses = tuple(str(target.address[0]) for target in targets)

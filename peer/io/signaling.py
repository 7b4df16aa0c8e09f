"""The peer's side of the rendezvous's HTTP interface.

Every request carries the whole seat and may be sent again, so a lost
connection costs a retry, never the session: see :mod:`peer.io.asking`.
"""

from __future__ import annotations

from collections.abc import Callable

from peer.core.clockmap import ClockMap
from peer.core.rtt import Exchange
from peer.core.times import MonoNs, UtcNs
from peer.io.asking import Asking
from peer.io.clock import Clock
from rendezvous.protocol.messages import (
    MAX_POLL_US,
    PROTOCOL_VERSION,
    AttemptRequest,
    AttemptResponse,
    JoinRequest,
    LeaveRequest,
    OpenRequest,
    Reason,
    RelayPolicy,
    Report,
    Seated,
    TimeResponse,
    WaitRequest,
    WaitResponse,
)
from rendezvous.protocol.times import NS_PER_MS, US_PER_S, ns_from_us

WAIT_POLL_US = 10 * US_PER_S
"""How long a request for the partner may be parked.  Where its answer is swallowed without a word,
the partner is there already and gives up after 30 s: this costs it 13 of them."""
SPACING_NS = 100 * NS_PER_MS
"""Least time from one poll to the next: a rendezvous that answers at once, with nothing, does not
keep this host busy."""


class Signaling:
    """One seat at a rendezvous; :meth:`aclose` it."""

    def __init__(self, url: str, clock: Clock, secret: str) -> None:
        """Check the URL; nothing is sent yet.

        Args:
            url: ``http://`` or ``https://`` and a host.
            clock: for pauses and timestamps.
            secret: this seat's own secret, 64 hexadecimal digits.

        Raises:
            UsageError: the URL is not one.
        """
        self.asking = Asking(url, clock)
        self.pake: str | None = None
        """This peer's message of the key exchange: goes along with every request."""
        self.relay: RelayPolicy = "never"
        """What this peer thinks of a relay: likewise."""
        self._clock = clock
        self._secret = secret
        self._seated: Seated | None = None

    async def aclose(self) -> None:
        """Close the connections to the rendezvous; harmless when they are closed."""
        await self.asking.aclose()

    @property
    def seated(self) -> Seated:
        """The seat; only after :meth:`open` or :meth:`join`."""
        assert self._seated is not None
        return self._seated

    async def open(
        self, nameplate: str | None = None, meanwhile: Callable[[], None] | None = None
    ) -> Seated:
        """Open a session and take its first seat.

        Args:
            nameplate: of a code that both users agreed on; None: the rendezvous draws one.
            meanwhile: called when the request is sent and its answer on its way.

        Returns:
            The seat, with the nameplate to hand over.

        Raises:
            RendezvousError: it cannot be used.
        """
        request = OpenRequest(
            version=PROTOCOL_VERSION,
            secret=self._secret,
            nameplate=nameplate,
            pake=self.pake,
            relay=self.relay,
        )
        self._seated = await self.asking.post("/v1/sessions", request, Seated, meanwhile=meanwhile)
        return self._seated

    async def join(
        self, nameplate: str, wait_us: int = 0, meanwhile: Callable[[], None] | None = None
    ) -> Seated:
        """Take the second seat.

        Args:
            nameplate: from the code.
            wait_us: how long the server may wait for the partner, if nobody waits there.
            meanwhile: called when the request is sent and its answer on its way.

        Returns:
            The seat.

        Raises:
            RendezvousError: it cannot be used, or nobody waits there.
        """
        request = JoinRequest(
            version=PROTOCOL_VERSION,
            secret=self._secret,
            pake=self.pake,
            relay=self.relay,
            wait_us=wait_us,
        )
        path = f"/v1/sessions/{nameplate}/join"
        self._seated = await self.asking.post(path, request, Seated, wait_us, meanwhile)
        return self._seated

    async def wait(self, wait_us: int = WAIT_POLL_US) -> WaitResponse:
        """Wait for the partner and its message, at most as long as one poll lasts.

        Args:
            wait_us: how long the server may park the request.

        Returns:
            Whether it is there.
        """
        request = WaitRequest.model_validate(self._seat() | {"wait_us": wait_us})
        asked_at = self._clock.now()
        answer = await self.asking.post(f"{self._path()}/wait", request, WaitResponse, wait_us)
        lacks_message = self.pake is not None and answer.partner_pake is None
        if answer.left is None and (lacks_message or not answer.partner):
            await self._space(asked_at)
        return answer

    async def report(self, attempt: int, report: Report, wait_ns: int) -> AttemptResponse:
        """Hand a report in and wait for its answer, at most ``wait_ns``.

        Args:
            attempt: 1, 2, …
            report: this peer's.
            wait_ns: how long the server may park the request.

        Returns:
            The answer; with nothing set, poll again.

        Raises:
            StaleTokenError: learn again.
            GoneError: the session is over.
            RendezvousError: it cannot be used.
        """
        wait_us = max(0, min(MAX_POLL_US, wait_ns // 1000))
        request = AttemptRequest.model_validate(
            self._seat() | {"wait_us": wait_us, "report": report}
        )
        path = f"{self._path()}/attempts/{attempt}"
        asked_at = self._clock.now()
        answer = await self.asking.post(path, request, AttemptResponse, wait_us)
        if not (answer.appointment or answer.verdict or answer.left):
            await self._space(asked_at)
        return answer

    async def leave(self, reason: Reason) -> None:
        """Give the seat up; tried once, since the session expires anyway.

        Args:
            reason: what the partner hears.
        """
        if self._seated is None:
            return
        request = LeaveRequest.model_validate(self._seat() | {"reason": reason})
        await self.asking.tell(f"{self._path()}/leave", request)

    async def exchange_time(self, clockmap: ClockMap) -> Exchange:
        """Read the rendezvous's clock once, over the connection that is open already.

        The timestamps are taken where httpcore starts to write the request and
        where it has read the whole answer: Python's own time stays out of them.

        Args:
            clockmap: the local clock.

        Returns:
            The four timestamps.

        Raises:
            RendezvousError: it cannot be used.
        """
        stamps: dict[str, MonoNs] = {}

        async def trace(name: str, _: object) -> None:
            if name == "http11.send_request_headers.started":
                stamps["t1"] = self._clock.now()
            # Not the head's: the server takes T3 when it writes the body.
            elif name == "http11.receive_response_body.complete":
                stamps["t4"] = self._clock.now()

        answer = await self.asking.send("GET", "/v1/time", None, TimeResponse, {"trace": trace})
        t2, t3 = ns_from_us(answer.received_us), ns_from_us(answer.sent_us)
        return Exchange(
            clockmap.local(stamps["t1"]),
            UtcNs(t2),
            UtcNs(t3),
            clockmap.local(stamps["t4"]),
            stamps["t4"],
        )

    async def _space(self, asked_at: MonoNs) -> None:
        await self._clock.sleep_until(MonoNs(asked_at + SPACING_NS))

    def _path(self) -> str:
        return f"/v1/sessions/{self.seated.nameplate}"

    def _seat(self) -> dict[str, object]:
        return {
            "version": PROTOCOL_VERSION,
            "session": self.seated.session,
            "seat": self.seated.seat,
            "secret": self._secret,
            "pake": self.pake,
            "relay": self.relay,
        }

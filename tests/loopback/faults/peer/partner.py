"""A partner that the test plays itself, at a real rendezvous: it learns and reports as a peer does.

Where a peer would fire it listens on the same ports, so that each pair of the real peer's opens
with its first SYN, and what is said there is the test's.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from peer.core.code import DEFAULT_WORDS, Code
from peer.core.greeting import Greeting, GreetingDecoder, encode
from peer.core.proof import Place
from peer.io.agreement import Agreement, Bound
from peer.io.clock import SystemClock, read_clockmap
from peer.io.keying import Keying
from peer.io.learn import Learned, learn
from peer.io.signaling import Signaling
from peer.io.sockets import LocalPort
from peer.settings import Settings
from rendezvous.protocol.messages import (
    MAX_POLL_US,
    Appointment,
    AttemptResponse,
    Reason,
    Report,
    Role,
)

POLL_NS = MAX_POLL_US * 1000


@dataclass(slots=True)
class Line:
    """One connection of the real peer's, at its far end.

    Attributes:
        heard: everything that came.
        closed: nothing more will come: the peer has closed it, or reset it.
    """

    sock: socket.socket
    place: Place
    role: Role
    agreement: Agreement
    bound: Bound
    heard: bytearray = field(default_factory=bytearray)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, data: bytes) -> None:
        """Send bytes, whatever becomes of them."""
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def hear(self, most: int = 65536) -> bytes:
        """Wait for bytes; none: the peer is through with this connection."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self.sock, most)
        except ConnectionError:
            data = b""
        self.heard += data
        if not data:
            self.closed.set()
        return data

    async def greeting(self) -> Greeting | None:
        """Wait for one greeting, and take nothing of what follows it."""
        decoder = GreetingDecoder()
        while (message := decoder.next()) is None:
            if not (data := await self.hear(decoder.wanted)):
                return None
            decoder.feed(data)
        return message

    async def greet(self, *messages: Greeting) -> None:
        """Send greetings."""
        await self.say(b"".join(encode(message) for message in messages))


Manner = Callable[[Line], Awaitable[None]]
"""What the partner does on a connection; afterwards it only listens, until the peer closes."""


@dataclass(slots=True)
class Partner:
    """One seat; :func:`partner` makes one.

    Attributes:
        manners: by pair; a pair that is not there refuses, as a port does that is nobody's.
        ended: the answer to the report that was not an appointment.
    """

    url: str
    manners: dict[int, Manner]
    agreement: Agreement | None = None
    role: Role = "responder"
    lines: list[Line] = field(default_factory=list)
    appointments: list[Appointment] = field(default_factory=list)
    learned: list[Learned] = field(default_factory=list)
    bound: dict[int, asyncio.Future[Bound]] = field(default_factory=dict)
    keying: Keying = field(init=False)
    ended: asyncio.Future[AttemptResponse] = field(init=False)
    signaling: Signaling = field(init=False)

    def __post_init__(self) -> None:
        """Make a seat's secret."""
        self.signaling = Signaling(self.url, SystemClock(), secrets.token_hex(32))
        self.ended = asyncio.get_running_loop().create_future()

    async def join(self, code: str) -> None:
        """Take the second seat, and agree the key."""
        known = Code.parse(code)
        self._begin(known)
        seated = await self.signaling.join(known.nameplate)
        self.agreement = self.keying.agree(seated, seated.partner_pake)
        if self.agreement is None:
            await self.wait()

    async def open(self) -> str:
        """Take the first seat; returns the code."""
        seated = await self.signaling.open()
        self.role = "initiator"
        code = Code(seated.nameplate, secrets.token_bytes(DEFAULT_WORDS))
        self._begin(code)
        return str(code)

    def _begin(self, code: Code) -> None:
        self.keying = Keying(code)
        self.signaling.pake = self.keying.message

    async def wait(self) -> None:
        """Wait for the peer to take the other seat, and agree the key."""
        while self.agreement is None:
            answer = await self.signaling.wait()
            if answer.partner:
                self.agreement = self.keying.agree(self.signaling.seated, answer.partner_pake)

    async def learn(self) -> Report:
        """Learn, on fresh ports that stay this partner's."""
        clock = SystemClock()
        settings = Settings(self.url, ntp=())
        self.learned.append(await learn(settings, self.signaling, clock, read_clockmap(clock)))
        return self.learned[-1].report

    async def report(self, attempt: int, report: Report) -> AttemptResponse:
        """Hand the report in, as this partner's own, until there is an answer."""
        assert self.agreement is not None
        report = report.model_copy(update={"identity": self.agreement.announce(attempt)})
        while True:
            answer = await self.signaling.report(attempt, report, POLL_NS)
            if answer.appointment or answer.verdict or answer.left:
                return answer

    async def play(self) -> None:
        """Keep every appointment, until the peer has left."""
        assert self.agreement is not None
        async with asyncio.TaskGroup() as group:
            attempt = 1
            while True:
                report = await self.learn()
                self.bound[attempt] = asyncio.get_running_loop().create_future()
                for port in self.learned[-1].ports:
                    if port.index in self.manners:
                        port.volley.listen()
                        group.create_task(self._serve(port, attempt))
                answer = await self.report(attempt, report)
                if answer.appointment is None:
                    self.ended.set_result(answer)
                    return
                self.appointments.append(answer.appointment)
                self.bound[attempt].set_result(
                    self.agreement.bind(answer.appointment, attempt, self.learned[-1].own)
                )
                attempt += 1

    async def leave(self, reason: Reason) -> None:
        """Give the seat up."""
        await self.signaling.leave(reason)

    async def _serve(self, port: LocalPort, attempt: int) -> None:
        sock, _ = await asyncio.get_running_loop().sock_accept(port.volley)
        with sock:
            place = Place(bytes.fromhex(self.signaling.seated.session), attempt, port.index)
            assert self.agreement is not None
            line = Line(sock, place, self.role, self.agreement, await self.bound[attempt])
            self.lines.append(line)
            await self.manners[port.index](line)
            while not line.closed.is_set():
                await line.hear()


@asynccontextmanager
async def partner(url: str, manners: dict[int, Manner] | None = None) -> AsyncIterator[Partner]:
    """Make a partner, and close everything of it at the end."""
    made = Partner(url, manners or {})
    try:
        yield made
    finally:
        for learned in made.learned:
            learned.close()
        await made.signaling.aclose()


@asynccontextmanager
async def playing(made: Partner) -> AsyncIterator[None]:
    """Let a partner that has its seat play beside the block, at most as long as that."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.play())
        try:
            yield
        finally:
            task.cancel()

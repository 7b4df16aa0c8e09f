"""A rendezvous with its reflectors that is honest, but for what the test has it say.

Bare sockets, since no server's library would send what is sent here.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from peer.core.code import Code
from peer.io.agreement import Agreement
from peer.io.keying import Keying
from rendezvous.protocol import stun
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import (
    PROTOCOL_VERSION,
    Appointment,
    AttemptRequest,
    AttemptResponse,
    CandidateKind,
    JoinRequest,
    Message,
    OpenRequest,
    Pair,
    Report,
    Seat,
    Seated,
    TimeResponse,
    WaitResponse,
)

SESSION = "5e" * 16
NAMEPLATE = "4711"
CODE = str(Code(NAMEPLATE, b"no"))
"""What a peer must be given that shall take this server's partner for its own."""
LISTEN = ("listen", "--code", CODE)
LEAD_US = 150_000
"""From a report to the instant: a peer prepares for 100 ms."""
ROUTES = {
    "open": r"POST /v1/sessions ",
    "join": r"POST /v1/sessions/\d+/join ",
    "wait": r"POST /v1/sessions/\d+/wait ",
    "report": r"POST /v1/sessions/\d+/attempts/\d+ ",
    "leave": r"POST /v1/sessions/\d+/leave ",
    "time": r"GET /v1/time ",
}
_HEADER = 20


def http(
    body: bytes, status: str = "200 OK", *headers: str, kind: str = "application/json"
) -> bytes:
    """Write an answer."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *headers]).encode() + b"\r\n\r\n" + body


def said(message: Message) -> bytes:
    """Write an answer that is in order."""
    return http(message.model_dump_json().encode())


def now_us() -> int:
    """Read the clock of this rendezvous."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Request:
    """One request of a peer's, and the way back."""

    kind: str
    body: bytes
    writer: asyncio.StreamWriter
    taken: int = 0
    """Octets that the peer, or the kernel for it, has taken of an endless answer."""

    async def say(self, data: bytes) -> bool:
        """Send bytes; False when the peer has had enough."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            return False
        self.taken += len(data)
        return True


Answer = bytes | Callable[[Request], Awaitable[None]]
"""What is said to a request: bytes, or whatever the function does."""
Reflect = Callable[[bytes, Endpoint], bytes]
"""From a STUN request and where it came from to what is said."""


def honest_reflection(request: bytes, source: Endpoint) -> bytes:
    """Say what a reflector says."""
    return stun.encode_binding_success(stun.decode(request).transaction_id, source, "a.token")


@dataclass(slots=True)
class Hostile:
    """The server; :func:`hostile` starts one.

    Attributes:
        answers: by the names in ``ROUTES``; what is not there is answered in order.
        appoint: what a report is answered with, if ``answers`` has nothing for it.
        reflect: what its reflectors say.
        requests: every request, in order.
    """

    answers: Mapping[str, Answer]
    appoint: Callable[[int, AttemptRequest], Appointment]
    reflect: Reflect
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    reflectors: tuple[str, ...] = ()
    keying: Keying = field(init=False)
    partner: Agreement | None = None
    """The partner's that it plays, by :data:`CODE`."""

    def count(self, kind: str) -> int:
        """Return how many requests of a kind came."""
        return sum(request.kind == kind for request in self.requests)

    def in_order(self, request: Request, attempt: int) -> bytes:
        """Return the answer of a rendezvous that means no harm."""
        match request.kind:
            case "open":
                return self._seat("a", OpenRequest.model_validate_json(request.body).pake)
            case "join":
                return self._seat("b", JoinRequest.model_validate_json(request.body).pake)
            case "wait":
                return said(
                    WaitResponse(
                        version=PROTOCOL_VERSION, partner=True, partner_pake=self.keying.message
                    )
                )
            case "time":
                return said(
                    TimeResponse(version=PROTOCOL_VERSION, received_us=now_us(), sent_us=now_us())
                )
            case "report":
                report = AttemptRequest.model_validate_json(request.body)
                plan = self.introduced(self.appoint(attempt, report), report.report)
                return said(AttemptResponse(version=PROTOCOL_VERSION, appointment=plan))
            case _:
                return b"HTTP/1.1 204 No Content\r\n\r\n"

    def introduced(self, plan: Appointment, report: Report) -> Appointment:
        """Say who the partner is that this server plays, and where it was told to fire at."""
        if self.partner is None:  # the peer has a code of its own
            return plan
        seen = {
            candidate.port_index: candidate.endpoint
            for candidate in report.candidates
            if candidate.kind is CandidateKind.SRFLX
        }
        pairs = tuple(pair.model_copy(update={"own": seen[pair.port_index]}) for pair in plan.pairs)
        partner = self.partner.announce(plan.attempt)
        return plan.model_copy(update={"partner": partner, "pairs": pairs})

    def _seat(self, seat: Seat, pake: str | None) -> bytes:
        self.keying = Keying(Code.parse(CODE))
        seated = Seated(
            version=PROTOCOL_VERSION,
            nameplate=NAMEPLATE,
            session=SESSION,
            seat=seat,
            ttl_us=600_000_000,
            reflectors=self.reflectors,
            partner_pake=None if seat == "a" else self.keying.message,
        )
        far: Seat = "b" if seat == "a" else "a"
        self.partner = self.keying.agree(seated.model_copy(update={"seat": far}), pake)
        return said(seated)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1]) if length else 0)
                kind = next(name for name, form in ROUTES.items() if re.match(form, head))
                attempt = re.search(r"/attempts/(\d+) ", head)
                self.requests.append(request := Request(kind, body, writer))
                answer = self.answers.get(kind)
                if answer is None:
                    answer = self.in_order(request, int(attempt[1]) if attempt else 0)
                if isinstance(answer, bytes):
                    await request.say(answer)
                else:
                    await answer(request)
        writer.close()

    async def serve_stun(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                header = await reader.readexactly(_HEADER)
                rest = await reader.readexactly(stun.frame_length(header) - _HEADER)
                source = Endpoint.of(*writer.get_extra_info("peername")[:2])
                answer = self.reflect(header + rest, source)
                if not answer:
                    break
                writer.write(answer)
        writer.close()


def nobody(attempt: int, _: AttemptRequest) -> Appointment:
    """Appoint a port where nobody is."""
    return appointment(attempt, ["127.0.0.1:9999"])


def appointment(attempt: int, remotes: list[str], **changes: object) -> Appointment:
    """Make an appointment that is in order, or is not."""
    pairs = tuple(
        Pair(pair=number, port_index=number, family=4, remote=remote)
        for number, remote in enumerate(remotes)
    )
    instant_us = now_us() + LEAD_US
    fields: dict[str, object] = {
        "attempt": attempt,
        "role": "initiator",
        "timescale": "rendezvous",
        "instant_us": instant_us,
        "deadline_us": instant_us + 500_000,
        "strategy": "paired",
        "crossing": "unknown",
        "syn_budget": 5_000,
        "pairs": pairs,
    }
    return Appointment.model_validate(fields | changes)


@asynccontextmanager
async def hostile(
    answers: Mapping[str, Answer] | None = None,
    *,
    host: str = "127.0.0.1",
    appoint: Callable[[int, AttemptRequest], Appointment] = nobody,
    reflect: Reflect = honest_reflection,
) -> AsyncIterator[Hostile]:
    """Run the server, and end every connection with the block."""
    served = Hostile(answers or {}, appoint, reflect)
    tasks: set[asyncio.Task[None]] = set()

    def keeping(
        serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await serve(reader, writer)
            finally:
                tasks.discard(task)
                writer.close()

        return kept

    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for serve in (served.serve, served.serve_stun, served.serve_stun):
            server = await asyncio.start_server(keeping(serve), host, 0)
            stack.callback(server.close)
            ports.append(server.sockets[0].getsockname()[1])
        served.url = f"http://{host}:{ports[0]}"
        served.reflectors = tuple(f"*:{port}" for port in ports[1:])
        try:
            yield served
        finally:
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

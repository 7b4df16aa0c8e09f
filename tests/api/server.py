"""A rendezvous for tests: in this process without sockets, on sockets, or as a program."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from rendezvous.app import create_app
from rendezvous.listeners import open_listeners
from rendezvous.memory import MemoryStore
from rendezvous.parking import Parking
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.errors import PROBLEM_MEDIA_TYPE, Problem
from rendezvous.server import Rendezvous
from rendezvous.settings import Settings
from rendezvous.tokens import Tokens
from tests.fakes.server import SECRET_A, SECRET_B, FakeServerClock, report, srflx

PROGRAM = Path(sys.executable).with_name("midair-rendezvous")
PATIENCE_S = 20.0
"""Only a bug takes longer; nothing is asserted on it."""
POLL_US = 25_000_000
tokens = Tokens(b"k" * 32)


def make_app(**settings: Any) -> tuple[FastAPI, FakeServerClock]:
    """Build an app on a fake clock."""
    chosen, clock = Settings(**settings), FakeServerClock()
    store = MemoryStore(tokens, chosen.limits)
    return create_app(chosen, clock, store, reflectors=("*:8081", "*:8082")), clock


def client_of(app: FastAPI, address: str = "198.51.100.2") -> httpx.AsyncClient:
    """Return a client of an app, without a socket."""
    entrance = app.state.entrance
    transport = httpx.ASGITransport(entrance, client=(address, 50000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://rendezvous")


def problem(answer: httpx.Response, status: int) -> Problem:
    """Check that an answer is a problem of this status, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    said = Problem.model_validate_json(answer.content)
    assert said.status == status
    return said


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop run until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event to give
            await asyncio.sleep(0.001)


async def parked(app: FastAPI, count: int) -> None:
    """Wait until so many requests are parked."""
    parking: Parking = app.state.parking
    await until(lambda: len(parking) == count)


@dataclass
class Meeting:
    """A session with both seats taken, and the bodies of its requests."""

    nameplate: str
    session: str

    @property
    def path(self) -> str:
        """Return where its requests go."""
        return f"/v1/sessions/{self.nameplate}"

    def seat(self, seat: str, **more: Any) -> dict[str, Any]:
        """Make a request's body."""
        secret = SECRET_A if seat == "a" else SECRET_B
        return {"version": 1, "session": self.session, "seat": seat, "secret": secret} | more

    def attempt(self, seat: str, endpoint: str, wait_us: int = POLL_US) -> dict[str, Any]:
        """Make the body of an attempt, its endpoint proven by the shared key."""
        token = tokens.mint(Endpoint.parse(endpoint), self.session, FakeServerClock().us)
        said = report(srflx(endpoint, token=token)).model_dump(mode="json")
        return self.seat(seat, wait_us=wait_us, report=said)


async def open_session(client: httpx.AsyncClient, secret: str = SECRET_A) -> Meeting:
    """Open a session."""
    seated = (await client.post("/v1/sessions", json={"version": 1, "secret": secret})).json()
    return Meeting(seated["nameplate"], seated["session"])


async def join(client: httpx.AsyncClient, meeting: Meeting, secret: str = SECRET_B) -> None:
    """Take its second seat."""
    answer = await client.post(f"{meeting.path}/join", json={"version": 1, "secret": secret})
    assert answer.status_code == 200, answer.text


async def meet(client: httpx.AsyncClient) -> Meeting:
    """Open a session and take both seats."""
    meeting = await open_session(client)
    await join(client, meeting)
    return meeting


@dataclass
class Served:
    """A rendezvous on real sockets in this process."""

    rendezvous: Rendezvous
    http: tuple[str, int]
    reflectors: list[tuple[str, int]]


@contextlib.asynccontextmanager
async def serving(host: str = "127.0.0.1", **settings: Any) -> AsyncIterator[Served]:
    """Serve on free ports of loopback while the block runs."""
    place = f"[{host}]:0" if ":" in host else f"{host}:0"
    fields: dict[str, Any] = {"host": (host,), "port": 0, "reflector": (place, place)}
    chosen = Settings(**(fields | settings))
    listeners = open_listeners(chosen)
    addresses = [sock.getsockname()[:2] for sock in (*listeners.http, *listeners.reflector)]
    ready = asyncio.Event()
    rendezvous = Rendezvous(chosen, listeners, ready.set)
    async with asyncio.TaskGroup() as group:
        group.create_task(rendezvous.run())
        await ready.wait()
        try:
            yield Served(rendezvous, addresses[0], addresses[1:])
        finally:
            rendezvous.stop()


@dataclass
class Program:
    """``midair-rendezvous`` as a program."""

    process: subprocess.Popen[str]
    url: str
    reflectors: list[str]
    port: int
    relays: list[str]

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and the rest of stderr."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, errors


@contextlib.contextmanager
def program(*arguments: str, prefix: tuple[str, ...] = (), **environment: str) -> Iterator[Program]:
    """Run the program on loopback until the block ends."""
    command = [*prefix, str(PROGRAM), "--host", "127.0.0.1", "--json", *arguments]
    for option, value in (("--port", "0"), ("--reflector", "127.0.0.1:0")):
        if option not in arguments:
            command += [option, value]
    if not {"--relay", "--no-relay"} & set(arguments):
        command += ["--relay", "127.0.0.1:0"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )
    with process:
        try:
            assert process.stderr is not None
            ready = json.loads(process.stderr.readline())
            assert ready["event"] == "ready"
            url = ready["http"][0]
            port = int(url.rpartition(":")[2])
            yield Program(process, url, ready["reflectors"], port, ready["relays"])
        finally:
            process.kill()


def send_request(address: tuple[str, int], path: str, body: dict[str, Any]) -> socket.socket:
    """Send a POST on a socket of its own and return the socket, nothing read."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += f"content-length: {len(data)}\r\n\r\n"
    sock = socket.create_connection(address, timeout=PATIENCE_S)
    sock.sendall(head.encode() + data)
    return sock

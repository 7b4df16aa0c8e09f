"""Complete pairings, one after another, each checked; several couples do so at once."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.bench.load.asking import LoadError
from lab.bench.load.http import Answer, Connection, get, post
from lab.bench.load.stun import ReflectorConnection

PORTS = 4
"""Of each peer, as midair has."""
TIME_EXCHANGES = 6
"""Of each peer, as midair has."""
POLL_US = 25_000_000
_BOUNDED_S = 30.0
"""More than a pairing can take on a server that works: a poll is over after 25 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server under load."""

    http: tuple[str, int]
    reflectors: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long one pairing took, as its peers saw it."""

    whole_ms: float
    """From the first request to the last answer."""
    appointed_ms: float
    """From the second report to both appointments."""


@dataclass(slots=True)
class Host:
    """One of a couple: its address, and its connections to the server."""

    address: str
    target: Target
    fresh: bool
    """Connect anew for every pairing, to both reflectors, and read the clock, as real peers do."""
    http: Connection | None = None
    reflector: list[ReflectorConnection] = field(default_factory=list)

    async def prepare(self) -> None:
        """Have a connection for requests."""
        if self.http is None:
            self.http = await Connection.open(self.target.http, self.address)

    async def ask(self, request: bytes, expected: int = 200) -> Answer:
        """Send a request and check the answer's status."""
        assert self.http is not None
        answer = await self.http.ask(request)
        if answer.status != expected:
            raise LoadError(f"{answer.status} instead of {expected}: {answer.body!r}")
        return answer

    async def learn(self, session: str) -> list[tuple[str, str]]:
        """Get the endpoint and token of each port; fresh hosts also read the server's clock."""
        if not self.fresh:
            if not self.reflector:
                await self._connect_ports(self.target.reflectors[:1])
            return await self._tokens(session)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_clock())
            asked = group.create_task(self._ask_afresh(session))
        return asked.result()

    async def _ask_afresh(self, session: str) -> list[tuple[str, str]]:
        await self._connect_ports(self.target.reflectors)
        return (await self._tokens(session))[:PORTS]

    async def _connect_ports(self, reflectors: Sequence[tuple[str, int]]) -> None:
        for reflector in reflectors:
            self.reflector += await asyncio.gather(
                *(ReflectorConnection.open(reflector, self.address) for _ in range(PORTS))
            )

    async def _tokens(self, session: str) -> list[tuple[str, str]]:
        tokens = await asyncio.gather(*(port.token(session) for port in self.reflector))
        return [(port.endpoint, token) for port, token in zip(self.reflector, tokens, strict=True)]

    async def _read_clock(self) -> None:
        for _ in range(TIME_EXCHANGES):
            await self.ask(_TIME)

    def done(self) -> None:
        """End a pairing: a fresh host closes everything."""
        if self.fresh:
            self.close()

    def close(self) -> None:
        """Close every connection."""
        for port in self.reflector:
            port.close()
        self.reflector.clear()
        if self.http is not None:
            self.http.close()
            self.http = None


_TIME = get("/v1/time")


class Couple:
    """Two hosts that meet again and again."""

    def __init__(self, number: int, target: Target, *, fresh: bool) -> None:
        """Give both an address of their own; ``number`` is from 0 to 99."""
        self._a = Host(f"127.0.{100 + number}.1", target, fresh)
        self._b = Host(f"127.0.{100 + number}.2", target, fresh)

    async def pair(self) -> Timing:
        """Meet once.

        Raises:
            LoadError: an answer was not what a peer could use.
        """
        async with asyncio.timeout(_BOUNDED_S):
            return await self._pair()

    async def _pair(self) -> Timing:
        a, b = self._a, self._b
        began = time.perf_counter()
        await a.prepare()
        secret_a, secret_b = secrets.token_hex(32), secrets.token_hex(32)
        opened = (await a.ask(post("/v1/sessions", _message(secret=secret_a)), 201)).json()
        path, session = f"/v1/sessions/{opened['nameplate']}", opened["session"]
        await b.prepare()
        seat_a = _message(session=session, seat="a", secret=secret_a)
        seat_b = _message(session=session, seat="b", secret=secret_b)
        await _both(
            a.ask(post(f"{path}/wait", {**seat_a, "wait_us": POLL_US})),
            b.ask(post(f"{path}/join", _message(secret=secret_b))),
        )
        ports_a, ports_b = await _both(a.learn(session), b.learn(session))
        report_a = post(f"{path}/attempts/1", {**seat_a, **_attempt(ports_a, 1)})
        report_b = post(f"{path}/attempts/1", {**seat_b, **_attempt(ports_b, 2)})
        reported = time.perf_counter()
        plan_a, plan_b = await _both(a.ask(report_a), b.ask(report_b))
        appointed = time.perf_counter()
        _check(plan_a, plan_b, ports_a, ports_b)
        await _both(
            a.ask(post(f"{path}/leave", {**seat_a, "reason": "done"}), 204),
            b.ask(post(f"{path}/leave", {**seat_b, "reason": "done"}), 204),
        )
        ended = time.perf_counter()
        a.done()
        b.done()
        return Timing(whole_ms=(ended - began) * 1e3, appointed_ms=(appointed - reported) * 1e3)

    def close(self) -> None:
        """Close every connection."""
        self._a.close()
        self._b.close()


async def _both(one: Any, other: Any) -> tuple[Any, Any]:
    # The first one's octets leave first: its request is parked when the other's comes.
    first, second = await asyncio.gather(one, other)
    return first, second


def _message(**fields: Any) -> dict[str, Any]:
    return {"version": 1, **fields}


def _attempt(ports: Sequence[tuple[str, str]], host: int) -> dict[str, Any]:
    """Say what a peer behind a NAT says: for each port where it is and where it is seen."""
    candidates: list[dict[str, Any]] = []
    for index, (endpoint, token) in enumerate(ports):
        number = endpoint.rpartition(":")[2]
        for kind, seen, proof in (
            ("host", f"10.{host}.0.2:{number}", None),
            ("srflx", endpoint, token),
        ):
            candidates.append({"kind": kind, "port_index": index, "endpoint": seen, "token": proof})
    report = {
        "ntp": {"offset_us": -3_700_123, "bound_us": 1_800},
        "rendezvous": {"offset_us": -3_699_871, "bound_us": 20_400},
        "rtt_us": 350,
        "jitter_us": 21,
        "prepare_us": 100_000,
        "mapping": "endpoint_independent",
        "preserves_port": True,
        "candidates": candidates,
        "previous": None,
    }
    return {"wait_us": POLL_US, "report": report}


def _check(
    plan_a: Answer,
    plan_b: Answer,
    ports_a: Sequence[tuple[str, str]],
    ports_b: Sequence[tuple[str, str]],
) -> None:
    """Make sure that both have one instant, and each the other's ports."""
    a, b = plan_a.json()["appointment"], plan_b.json()["appointment"]
    if a is None or b is None or a["instant_us"] != b["instant_us"]:
        raise LoadError(f"no common appointment: {plan_a.body!r} {plan_b.body!r}")
    for appointment, ports in ((a, ports_b), (b, ports_a)):
        if [pair["remote"] for pair in appointment["pairs"]] != [place for place, _ in ports]:
            raise LoadError(f"the appointment has other ports: {appointment!r}")

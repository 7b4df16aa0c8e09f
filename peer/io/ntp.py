"""What several NTP servers say of this host's clock, asked at once and soon done.

All servers are asked in parallel.  It ends when each has given its samples, or
said no; and servers that have said nothing at all are not waited for much
longer than those that answered took, so that a blocked one does not cost the
whole deadline.  Names are resolved beside it; a name with addresses of both
families is asked on both, and has one vote.

The decisions (which sample, which servers) are ``core.ntp_filter``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from peer.core.clockmap import ClockMap, OffsetEstimate
from peer.core.ntp_filter import Sample, select
from peer.core.times import MonoNs
from peer.io.clock import Clock
from peer.io.ntp_query import NtpQuery, patience_ns
from peer.io.resolve import Target, resolve
from peer.settings import NTP_PORT
from rendezvous.protocol.endpoints import split_host_port
from rendezvous.protocol.times import NS_PER_S, bound_us_from_ns, us_from_ns


@dataclass(frozen=True, slots=True)
class NtpReading:
    """What came of it. Servers are named as the caller named them."""

    estimate: OffsetEstimate | None
    """UTC against the local clock; None if nobody answered, or no majority agreed."""
    servers: tuple[str, ...]
    """All that were asked."""
    survivors: tuple[str, ...]
    """Those believed, the surest first."""
    falsetickers: tuple[str, ...]
    """Those that answered and are not believed."""
    failures: Mapping[str, str]
    """Those without a usable answer, and why, in words."""

    def described(self, now: MonoNs) -> dict[str, object] | None:
        """Say it as the event ``clock`` does.

        Args:
            now: the bound is as of then.

        Returns:
            Offset, bound, who was believed and who was not; None without an estimate.
        """
        if self.estimate is None:
            return None
        return {
            "offset_us": us_from_ns(self.estimate.offset_ns),
            "bound_us": bound_us_from_ns(self.estimate.bound_at(now)),
            "servers": list(self.survivors),
            "falsetickers": list(self.falsetickers),
        }


async def measure_ntp(
    servers: Sequence[str], clock: Clock, clockmap: ClockMap, *, deadline: MonoNs
) -> NtpReading:
    """Ask NTP servers for UTC.

    Args:
        servers: each ``HOST[:PORT]``, ``ADDRESS[:PORT]`` or ``[V6]:PORT``; one
            that is named twice is asked once.
        clock: gives the timestamps.
        clockmap: the local clock that offsets are against.
        deadline: when to stop waiting; what has come until then counts.

    Returns:
        The reading; failures are in it, not raised.
    """
    news = asyncio.Event()
    asked = [_Server(name, clock, clockmap, news) for name in dict.fromkeys(servers)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(server.ask()) for server in asked]
        await _settle(asked, news, clock, deadline)
        for task in tasks:
            task.cancel()
    selection = select({server.name: server.samples for server in asked})
    return NtpReading(
        estimate=selection.estimate,
        servers=tuple(server.name for server in asked),
        survivors=selection.survivors,
        falsetickers=selection.falsetickers,
        failures={server.name: server.failure for server in asked if not server.samples},
    )


class _Server:
    """One vote: a name, and the queries to its addresses."""

    def __init__(self, name: str, clock: Clock, clockmap: ClockMap, news: asyncio.Event) -> None:
        self.name = name
        self.done_at: MonoNs | None = None
        self._clock = clock
        self._clockmap = clockmap
        self._news = news
        self._queries: list[NtpQuery] = []
        self._problem: str | None = "its name was not resolved in time"

    @property
    def samples(self) -> list[Sample]:
        both = (sample for query in self._queries for sample in query.samples)
        return sorted(both, key=lambda sample: sample.at)

    @property
    def failure(self) -> str:
        problems = [query.problem for query in self._queries] or [self._problem]
        return next((problem for problem in problems if problem), "no answer")

    async def ask(self) -> None:
        try:
            targets = await resolve(*split_host_port(self.name, NTP_PORT))
        except (OSError, ValueError) as error:
            self._problem = getattr(error, "strerror", None) or str(error)
        else:
            async with asyncio.TaskGroup() as group:
                for target in targets:
                    group.create_task(self._query(target))
        self._done()

    async def _query(self, target: Target) -> None:
        query = NtpQuery(
            self.name,
            target,
            clock=self._clock,
            clockmap=self._clockmap,
            on_news=self._news.set,
        )
        self._queries.append(query)
        await query.run()
        if query.samples:
            # One family is enough: the other may be broken and silent.
            self._done()

    def _done(self) -> None:
        if self.done_at is None:
            self.done_at = self._clock.now()
            self._news.set()


async def _settle(
    servers: Sequence[_Server], news: asyncio.Event, clock: Clock, deadline: MonoNs
) -> None:
    """Wait until nothing more is worth waiting for."""
    while any(server.done_at is None for server in servers):
        news.clear()
        remaining_ns = _give_up_at(servers, deadline) - clock.now()
        if remaining_ns <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(remaining_ns / NS_PER_S):
                await news.wait()


def _give_up_at(servers: Sequence[_Server], deadline: MonoNs) -> MonoNs:
    """Say when servers that have not finished are left behind."""
    finished = [(s.done_at, s.samples) for s in servers if s.done_at is not None and s.samples]
    talking = any(server.done_at is None and server.samples for server in servers)
    if talking or not finished:
        return deadline
    slowest_ns = max(min(sample.delay_ns for sample in samples) for _, samples in finished)
    last = max(done_at for done_at, _ in finished)
    return MonoNs(min(deadline, last + patience_ns(slowest_ns)))

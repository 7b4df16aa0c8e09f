"""Keep meetings that nobody has appointed, until there is a connection or a verdict.

The volley, the race and the proof are those of every attempt; what is different is
where the appointment comes from: :mod:`peer.core.meeting`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from peer.core.clockmap import OffsetEstimate
from peer.core.countdown import next_tick_s
from peer.core.meeting import BySecret, ByTime, Meeting, Schedule, appointment, next_minutes
from peer.core.meeting_verdict import FINAL, explain_meeting
from peer.core.proof import TIE_BREAK_BYTES
from peer.core.secret import Secret
from peer.core.times import MonoNs
from peer.core.trace import MeetingSet, Missed, TraceEvent, Warned
from peer.core.units import duration
from peer.errors import MidairError, NoPathError, PortInUseError, UsageError
from peer.io.attempt import Attempt, Won
from peer.io.calendar import write_instant
from peer.io.clock import Clock, SystemClock
from peer.io.identity import Identity
from peer.io.meet_clock import MeetClock
from peer.io.partner import find_partner
from peer.io.sockets import LocalPort, claim_numbers
from peer.settings import MeetSettings
from rendezvous.protocol.endpoints import Family
from rendezvous.protocol.messages import AttemptResult, Reason
from rendezvous.protocol.times import NS_PER_MS, NS_PER_S

FRESH_NS = 64 * NS_PER_S
"""A clock measured longer ago than this is measured again before a meeting: RFC 5905's MINPOLL,
lest a peer that waits through many meetings be a burden to its servers."""
MEASURE_AHEAD_NS = 4 * NS_PER_S
"""How long before the instant that begins."""
ARM_AHEAD_NS = 300 * NS_PER_MS
"""When ports are claimed and the volley's thread is started: 50 ms before the instant nothing else
may compute, and a busy host needs some time until then."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an attempt needs of this host: a :class:`peer.io.ground.Ground`."""

    ports: list[LocalPort]
    estimate: OffsetEstimate

    @property
    def report_took_ns(self) -> None:
        """There are no reports."""
        return None

    def offset(self, timescale: str) -> OffsetEstimate:
        """Return the only offset there is: meetings are in UTC."""
        return self.estimate

    def close(self) -> None:
        """Give every port back that no winner has taken."""
        for port in self.ports:
            port.close()


@dataclass(slots=True)
class Meet:
    """One peer that meets its partner; :meth:`run` it once."""

    settings: MeetSettings
    emit: Callable[[TraceEvent], None]
    time: MeetClock
    """Not measured yet."""
    on_tick: Callable[[int], None] = lambda _: None
    """Told how many whole seconds are left, and 0 when the countdown is over."""
    every_second: bool = False
    """Whether to tell each second."""
    clock: Clock = field(default_factory=SystemClock)
    started_at: MonoNs | None = None
    """What ``elapsed_ms`` counts from; None: from :meth:`run`."""
    _addresses: dict[Family, str] = field(default_factory=dict)
    _held: list[LocalPort] = field(default_factory=list)
    """Claimed before it was known when, so that nobody takes them meanwhile."""
    _misses: list[AttemptResult] = field(default_factory=list)
    _checked: Meeting | None = None
    """The meeting for which the clock was measured again."""
    _won: Won | None = None
    _identity: Identity = field(default_factory=Identity.make)

    async def run(self) -> Won:
        """Get a connection.

        Returns:
            The connected socket and its facts; the caller's to close.

        Raises:
            MidairError: there is none; the error says why.
        """
        if self.started_at is None:
            self.started_at = self.clock.now()
        limit_ns = self.settings.timeout_ns
        try:
            async with asyncio.timeout(None if limit_ns is None else limit_ns / NS_PER_S):
                return await self._meet()
        except TimeoutError:
            self._drop_winner()
            raise self._out_of_time() from None
        except asyncio.CancelledError:
            self._drop_winner()
            raise
        finally:
            self.on_tick(0)
            self._release()

    async def goodbye(self) -> None:
        """Nobody is to be told."""

    async def _meet(self) -> Won:
        if not self.settings.secret:
            self.emit(
                Warned(
                    f"NOT AUTHENTICATED: whoever answers at {self.settings.host} gets this "
                    "connection, encrypted, but to nobody in particular. Run ssh through it, or "
                    "give both sides a secret (midair meet --new-secret)"
                )
            )
        ports = (self.settings.port, self.settings.remote_port)
        self._addresses = await find_partner(self.settings.host, same_ports=ports[0] == ports[1])
        if self.settings.port:
            self._held = self._claim([self.settings.port])
        await self.time.measure()
        schedule = self._schedule()
        last: Meeting | None = None
        while (meeting := schedule.next(self._now_us(), last)) is not None:
            self._announce(meeting, last)
            if not await self._await(meeting):
                continue  # the clock was measured again: is it still the next one?
            last = meeting
            outcome = await self._keep(meeting)
            if isinstance(outcome, Won):
                self._won = outcome
                return outcome
            self._missed(outcome)
        raise self._over()

    def _schedule(self) -> Schedule:
        secret = Secret(self.settings.secret)
        if not self.settings.port:
            return BySecret(secret)
        now_us, at_us = self._now_us(), self.settings.at_us
        if at_us is None:
            instants_us = next_minutes(now_us)
        else:
            assert self.started_at is not None
            # Not by now: measuring took its time.
            if at_us < self.time.utc_us(self.started_at):
                raise self._past(at_us, now_us)
            instants_us = (at_us,)
        return ByTime(instants_us, self.settings.port, self.settings.remote_port, secret)

    def _past(self, at_us: int, now_us: int) -> UsageError:
        at, now = (write_instant(us, self.settings.zone_s) for us in (at_us, now_us))
        return UsageError(
            f"{at} is over: it is {now} now (± {duration(self.time.bound_us())}, by NTP)",
            "Give both sides a later time, or --at next",
        )

    def _announce(self, meeting: Meeting, last: Meeting | None) -> None:
        if meeting == self._checked:
            return
        self.emit(
            MeetingSet(
                number=len(self._misses) + 1,
                host=self.settings.host,
                by="time" if self.settings.port else "secret",
                at=write_instant(meeting.instant_us, self.settings.zone_s),
                instant_us=meeting.instant_us,
                wait_us=meeting.instant_us - self._now_us(),
                bound_us=self.time.bound_us(),
                authenticated=bool(self.settings.secret),
                ports=tuple(local for local, _ in meeting.ports),
            )
        )

    async def _await(self, meeting: Meeting) -> bool:
        """Wait until shortly before a meeting; say whether it was the whole wait."""
        instant = self.time.mono(meeting.instant_us)
        stale = instant - self.time.estimate.measured_at > FRESH_NS
        if stale and meeting != self._checked:
            self._checked = meeting
            await self._count_down(MonoNs(instant - MEASURE_AHEAD_NS), instant)
            await self.time.measure_again(MonoNs(instant - 2 * ARM_AHEAD_NS))
            return False
        await self._count_down(MonoNs(instant - ARM_AHEAD_NS), instant)
        self.on_tick(0)
        return True

    async def _count_down(self, until: MonoNs, instant: MonoNs) -> None:
        while (now := self.clock.now()) < until:
            tick_s = next_tick_s(instant - now, every_second=self.every_second)
            tick_at = MonoNs(instant - tick_s * NS_PER_S)
            await self.clock.sleep_until(min(until, tick_at) if tick_s else until)
            if tick_s and tick_at <= until:
                self.on_tick(tick_s)

    async def _keep(self, meeting: Meeting) -> Won | AttemptResult:
        held, self._held = self._held, []
        ground = Prepared(
            held or self._claim([local for local, _ in meeting.ports]), self.time.estimate
        )
        assert self.started_at is not None
        try:
            plan = appointment(
                meeting, self._addresses, [(port.family, port.index) for port in ground.ports]
            )
            return await Attempt(
                appointment=plan,
                learned=ground,
                session=meeting.session,
                key=meeting.key,
                clock=self.clock,
                clockmap=self.time.clockmap,
                on_one_host=True,
                skew_ns=self.settings.hooks.skew_ns,
                emit=self.emit,
                started_at=self.started_at,
                received_at=self.clock.now(),
                tie_break=secrets.token_bytes(TIE_BREAK_BYTES),
                own_choice=True,
                identity=self._identity,
                authenticated=bool(self.settings.secret),
            ).keep()
        finally:
            ground.close()

    def _claim(self, numbers: list[int]) -> list[LocalPort]:
        claimed = claim_numbers(sorted(self._addresses), numbers)
        if not claimed:
            ports = ", ".join(map(str, numbers))
            raise PortInUseError(
                f"local port {ports} is in use, or not yours to take",
                f"See who has it: ss -tanp sport = :{numbers[0]}",
            )
        return claimed

    def _missed(self, result: AttemptResult) -> None:
        self._misses.append(result)
        self.emit(Missed(len(self._misses), result.reason.value))
        if result.reason in FINAL:
            raise self._over()

    def _over(self) -> MidairError:
        if not self._misses:
            return explain_meeting(Reason.APPOINTMENT_LATE, self.settings.host, 0)
        return explain_meeting(self._misses[-1].reason, self.settings.host, len(self._misses))

    def _out_of_time(self) -> MidairError:
        if self._misses:
            return self._over()
        return NoPathError(
            Reason.TIMEOUT,
            f"no path: there was no meeting with {self.settings.host} within the time given",
            "Give more --timeout, or an earlier --at",
        )

    def _now_us(self) -> int:
        return self.time.utc_us(self.clock.now())

    def _release(self) -> None:
        for port in self._held:
            port.close()
        self._held = []

    def _drop_winner(self) -> None:
        # Won in the very moment in which time was over, or the user stopped it.
        if self._won is not None:
            self._won.sock.close()

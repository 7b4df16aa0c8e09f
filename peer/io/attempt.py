"""Keep one appointment: fire, race, and say who won or why nobody did."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from peer.core.clockmap import ClockMap, OffsetEstimate
from peer.core.confirm import NO_APPOINTMENT
from peer.core.proof import Place
from peer.core.race import Race
from peer.core.times import MonoNs, UtcNs
from peer.core.trace import Connected, TraceEvent
from peer.core.verdict import classify_miss
from peer.core.volley import ATTEMPT_CEILING_NS, SYN_CEILING, VolleyRule
from peer.errors import RefusedError
from peer.io.account import Account
from peer.io.aim import aim
from peer.io.channel import Binding, secure
from peer.io.clock import Clock
from peer.io.fire import Barrel, VolleyThread
from peer.io.greet import Racer, Winner
from peer.io.ground import Ground
from peer.io.identity import Identity
from peer.io.quiet import quiet
from peer.io.tls import Tls
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import Appointment, AttemptResult, Reason, Role
from rendezvous.protocol.planner import MAX_LEAD_US
from rendezvous.protocol.times import NS_PER_S, ns_from_us

MAX_LEAD_NS = ns_from_us(2 * MAX_LEAD_US)
"""How far ahead an instant may be: the planner's most, and as much for clocks known badly."""
RACE_GRACE_NS = 2 * NS_PER_S
"""After the deadline, for connections that opened late: 2 round trips and a second, twice."""
IN_USE = (errno.EADDRNOTAVAIL, errno.EADDRINUSE)
FORBIDDEN = (errno.EPERM, errno.EACCES)
"""What this host's own firewall answers to connect()."""
LATE_US = 1_000
"""A first shot this long after the instant was late, not early, if anybody was."""


@dataclass(frozen=True, slots=True)
class Won:
    """The connection that both peers keep."""

    sock: socket.socket
    connected: Connected
    tls: Tls | None = None
    """What its bytes go through; None: it is proven, and plain."""
    relay_octets: int | None = None
    """What the relay that it goes over carries for the pair; None: any number, or no relay."""


@dataclass(slots=True)
class Attempt:
    """One appointment on one peer.

    Attributes:
        on_one_host: both peers are on this host: loopback is a target like any other.
        received_at: when the appointment was read.
        tie_break: what decides the roles, where nobody has appointed them; see
            :func:`peer.core.proof.role_of`.  Then the appointment's role means nothing.
        own_choice: the targets are named by this peer's user, not by a server.
        own: where this peer itself is.
        identity: what the connection is encrypted with; None: it stays plain.
        expected: fingerprint of the partner's certificate; None: nobody has brought it.
        digest: SHA-256 of the appointment, the same on both sides.
        authenticated: the key is a secret; if not, anybody could have proven it.
    """

    appointment: Appointment
    learned: Ground
    session: bytes
    key: bytes = field(repr=False)
    clock: Clock
    clockmap: ClockMap
    on_one_host: bool
    skew_ns: int
    emit: Callable[[TraceEvent], None]
    started_at: MonoNs
    received_at: MonoNs
    tie_break: bytes = b""
    own_choice: bool = False
    own: frozenset[Endpoint] = frozenset()
    identity: Identity | None = None
    expected: bytes | None = None
    digest: bytes = NO_APPOINTMENT
    authenticated: bool = True
    _offset: OffsetEstimate = field(init=False)
    _account: Account = field(init=False)
    _thread: VolleyThread = field(init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _volley_over: bool = False
    """Set by the loop after all that the thread has told it, unlike the thread's own word."""

    async def keep(self) -> Won | AttemptResult:
        """Fire at the instant, and race what opens.

        Returns:
            The winner, or why there is none.

        Raises:
            RefusedError: the rendezvous appointed targets that no peer fires at.
            AuthenticationError: the winner's far end is not the partner.
            BrokenError: the winner broke before it was encrypted.
        """
        self._offset = self.learned.offset(self.appointment.timescale)
        self._account = self._make_account()
        instant = self.clockmap.mono(
            UtcNs(ns_from_us(self.appointment.instant_us) + self.skew_ns), self._offset
        )
        deadline = self.clockmap.mono(UtcNs(ns_from_us(self.appointment.deadline_us)), self._offset)
        self._check_instant(instant)
        barrels = aim(
            self.appointment.pairs,
            self.learned.ports,
            on_one_host=self.on_one_host,
            own=self.own,
            own_choice=self.own_choice,
        )
        self._account.trace_appointment(barrels, instant)
        rule = VolleyRule(
            budget=min(SYN_CEILING, self.appointment.syn_budget),
            deadline=MonoNs(min(deadline, max(instant, self.received_at) + ATTEMPT_CEILING_NS)),
        )
        race = Race(self._role, self.session, self.appointment.attempt, self.key)
        racer = Racer(race, self.clock, self._account.facts, self._news.set, self.tie_break)
        self._thread = self._make_thread(barrels, instant, rule, racer)
        self._account.thread = self._thread
        with quiet():
            self._thread.start()
            try:
                winner = await self._race(racer, rule.deadline)
            finally:
                racer.close()
                self._thread.stop()
                self._account.trace_shots()
        if winner is None:
            return self._miss(race)
        return await self._won(winner, race)

    def _make_account(self) -> Account:
        return Account(
            appointment=self.appointment,
            learned=self.learned,
            role=self._role,
            offset=self._offset,
            clock=self.clock,
            clockmap=self.clockmap,
            emit=self.emit,
            started_at=self.started_at,
            received_at=self.received_at,
            authenticated=self.authenticated,
        )

    def _check_instant(self, instant: MonoNs) -> None:
        lead_ns = instant - self.skew_ns - self.received_at
        if lead_ns > MAX_LEAD_NS and not self.own_choice:
            raise RefusedError(
                f"the rendezvous appointed an instant {lead_ns // NS_PER_S} s away",
                "Is its clock, or this host's, being changed? Try again",
            )

    @property
    def _role(self) -> Role | None:
        return None if self.tie_break else self.appointment.role

    def _make_thread(
        self, barrels: Sequence[Barrel], instant: MonoNs, rule: VolleyRule, racer: Racer
    ) -> VolleyThread:
        loop = asyncio.get_running_loop()

        def over() -> None:
            self._volley_over = True
            self._news.set()

        def ended() -> None:
            loop.call_soon_threadsafe(over)

        def opened(barrel: Barrel, shots: int) -> None:
            self._account.opened_shots[barrel.pair] = shots
            loop.call_soon_threadsafe(racer.opened, barrel.pair, barrel.sock)

        return VolleyThread(barrels, instant, rule, on_open=opened, on_end=ended)

    async def _race(self, racer: Racer, deadline: MonoNs) -> Winner | None:
        """Wait for a winner until the deadline, or until nobody can win, or is likely to."""
        latest = deadline + RACE_GRACE_NS
        with suppress(TimeoutError):
            async with asyncio.timeout_at(latest / NS_PER_S) as limit:
                while racer.winner is None and not self._hopeless(racer):
                    await self._news.wait()
                    self._news.clear()
                    if racer.race.gives_up_at is not None:
                        limit.reschedule(min(latest, racer.race.gives_up_at) / NS_PER_S)
        return racer.winner

    def _hopeless(self, racer: Racer) -> bool:
        return self._volley_over and racer.race.alive == 0

    def _miss(self, race: Race) -> AttemptResult:
        if self._thread.error is not None:
            raise self._thread.error
        rule = self._thread.rule
        bound_ns = self._offset.bound_at(self.clock.now())
        fatal = Counter(barrel.fatal for barrel in self._thread.barrels if barrel.fatal)
        greetings = Counter(race.unproven)
        if fatal[errno.ELOOP]:
            greetings[Reason.NOT_SELECTED] += fatal[errno.ELOOP]
        reason = classify_miss(
            shots=rule.shots,
            in_use=sum(fatal[number] for number in IN_USE),
            forbidden=sum(fatal[number] for number in FORBIDDEN),
            refusals=rule.refusals,
            unreachable=self._thread.unreachable,
            budget_spent=rule.spent,
            greetings=greetings,
            early=self._account.fire_error_us < LATE_US,
            clock_unknown=bound_ns >= rule.deadline - self._thread.instant,
        )
        return AttemptResult(
            attempt=self.appointment.attempt,
            reason=reason,
            shots=rule.shots,
            refusals=rule.refusals,
        )

    async def _won(self, winner: Winner, race: Race) -> Won:
        port = next(p for p in self.learned.ports if p.volley is winner.sock)
        sock = port.take()
        self.learned.close()
        try:
            tls = await self._secure(sock, winner, race)
            return Won(sock, self._account.connected(sock, winner, race, tls), tls)
        except BaseException:
            sock.close()
            raise

    async def _secure(self, sock: socket.socket, winner: Winner, race: Race) -> Tls | None:
        if self.identity is None:
            return None
        binding = Binding(
            key=self.key,
            role=race.role_of(winner.pair),
            place=Place(self.session, self.appointment.attempt, winner.pair),
            appointment=self.digest,
            own_facts=winner.own_facts,
            far_facts=winner.far_facts,
        )
        return await secure(
            sock,
            self.identity,
            binding,
            expected=self.expected,
            round_trip_s=race.round_trip_ns(winner.pair) / NS_PER_S,
        )

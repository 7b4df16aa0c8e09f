"""Carry out what :mod:`peer.core.agent` orders, until there is a connection or a verdict."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peer.core import steps
from peer.core.agent import Agent
from peer.core.clockmap import ClockMap
from peer.core.code import Code
from peer.core.expiry import out_of_time
from peer.core.relayed import facts_of
from peer.core.times import MonoNs
from peer.core.trace import Missed, Paired, TraceEvent
from peer.errors import (
    AuthenticationError,
    MidairError,
    NoPathError,
    PortInUseError,
    UnreachableError,
)
from peer.io.agreement import Agreement
from peer.io.answers import GoneError
from peer.io.clock import Clock, SystemClock, read_clockmap
from peer.io.keying import Known
from peer.io.reporting import Reporting
from peer.io.seating import Seating
from peer.io.signaling import Signaling
from peer.io.sockets import check_ports
from peer.settings import CONNECT_TIMEOUT_NS, PAIR_PORTS, Settings
from rendezvous.protocol.messages import Appointment, AttemptResult, Reason, Report
from rendezvous.protocol.times import NS_PER_S

if TYPE_CHECKING:
    from peer.io.attempt import Won

_LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")


@dataclass(slots=True)
class Session:
    """One peer's session; :meth:`run` it once."""

    settings: Settings
    code: Known | None
    """What both users have; None: open a session and make a code."""
    emit: Callable[[TraceEvent], None]
    """Takes every trace event as it happens."""
    on_code: Callable[[Code], None] = lambda _: None
    """Called when a code was made."""
    listens: bool = False
    """Take the first seat of the session that ``code`` names; without a code always so."""
    encrypts: bool = True
    """False: the winner stays a plain socket; the partner must want the same."""
    clock: Clock = field(default_factory=SystemClock)
    started_at: MonoNs | None = None
    """What ``elapsed_ms`` counts from; None: from :meth:`run`."""
    _agent: Agent = field(init=False)
    _clockmap: ClockMap = field(init=False)
    _signaling: Signaling = field(init=False)
    _seating: Seating = field(init=False)
    _reporting: Reporting = field(init=False)
    _won: Won | None = None
    _limit: asyncio.Timeout = field(init=False)

    async def run(self) -> Won:
        """Get a connection.

        Returns:
            The connected, proven socket and its facts; the caller's to close.  The seat is
            still held: call :meth:`goodbye`, beside whatever the connection is for.

        Raises:
            MidairError: there is none; the error says why.
        """
        if self.started_at is None:
            self.started_at = self.clock.now()
        self._clockmap = read_clockmap(self.clock)
        self._agent = Agent(relay=self.settings.relay if self.encrypts else "never")
        self._signaling = Signaling(self.settings.rendezvous, self.clock, secrets.token_hex(32))
        self._signaling.relay = self._agent.relay
        self._seating = Seating(self._signaling, self.clock, self.emit, self.code)
        self._reporting = Reporting(
            self.settings, self._signaling, self.clock, self._clockmap, self.emit
        )
        if self.settings.local_port is not None:
            # Before a code is made or used up.
            check_ports(PAIR_PORTS, self.settings.local_port)
        try:
            return await self._within_time()
        except asyncio.CancelledError:
            self._drop_winner()
            # The partner should not wait for somebody who was stopped.
            await asyncio.shield(self._leave(Reason.INTERRUPTED))
            raise
        except MidairError as error:
            self._drop_winner()
            await self._stop(error)
            raise
        finally:
            self._reporting.forget()

    @property
    def _agreement(self) -> Agreement:
        """With the partner; only once it has come."""
        assert self._seating.agreement is not None
        return self._seating.agreement

    def _drop_winner(self) -> None:
        # Won in the very moment in which time was over, or the user stopped it.
        if self._won is not None:
            self._won.sock.close()

    async def goodbye(self) -> None:
        """Give the seat up and close the connection to the rendezvous; harmless if it fails."""
        await self._leave(Reason.DONE)

    async def _within_time(self) -> Won:
        orders = self._agent.start()
        while True:
            try:
                async with asyncio.timeout(_seconds(self.settings.timeout_ns)) as self._limit:
                    return await self._drive(orders)
            except TimeoutError:
                error = self._out_of_time()
            if self._signaling.asking.trouble is not None or not self._agent.is_relay_left:
                raise error
            orders = self._agent.handle(steps.RelayLeft(error))

    def _out_of_time(self) -> MidairError:
        if self._signaling.asking.trouble is not None:
            return self._signaling.asking.trouble
        return out_of_time(
            self._agent,
            self.settings.rendezvous,
            waits=self._seating.waits,
            joins=self.code is not None and not self.listens,
        )

    async def _drive(self, first: Sequence[steps.Command]) -> Won:
        orders = deque(first)
        while orders:
            event = await self._carry_out(orders.popleft())
            if event is not None:
                orders.extend(self._agent.handle(event))
        assert self._won is not None
        return self._won

    async def _carry_out(self, order: steps.Command) -> steps.Event | None:
        match order:
            case steps.TakeSeat():
                return await self._take_seat()
            case steps.AwaitPartner():
                return await self._await_partner()
            case steps.Learn():
                return await self._learn()
            case steps.SendReport(attempt, report):
                return await self._report(attempt, report)
            case steps.Fire(appointment):
                return await self._fire(appointment)
            case steps.Relay(verdict):
                return await self._relay(verdict)
            case steps.Leave(reason):
                await self._leave(reason)
            case steps.Finish(error):
                if error is not None:
                    raise error
        return None

    async def _take_seat(self) -> steps.Event:
        if self.code is None or self.listens:
            await self._seating.open(self.settings.words, self.on_code)
            return steps.Seated(paired=False, has_relay=self._has_relay)
        is_agreed = await self._seating.join(self.code)
        # The partner was there before: what is still to come from it may be late, not for ever.
        self._limit_connecting()
        return steps.Seated(is_agreed, self._seating.partner_relay, self._has_relay)

    async def _await_partner(self) -> steps.Event:
        left = await self._seating.await_partner()
        if left is not None:
            return steps.PartnerLeft(left)
        return steps.PartnerCame(self._seating.partner_relay)

    @property
    def _has_relay(self) -> bool:
        return bool(self._signaling.seated.relays)

    def _limit_connecting(self) -> None:
        loop_now = asyncio.get_running_loop().time()
        limit_ns = self.settings.timeout_ns or CONNECT_TIMEOUT_NS
        self._limit.reschedule(loop_now + limit_ns / NS_PER_S)

    async def _learn(self) -> steps.Event:
        if self._agent.attempt == 1:
            self.emit(Paired(self._signaling.seated.seat))
            self._limit_connecting()
        return await self._reporting.learn()

    async def _report(self, attempt: int, report: Report) -> steps.Event:
        try:
            return await self._reporting.send(attempt, report, self._agreement.announce(attempt))
        except GoneError:
            return self._missed(_unheard(attempt))

    async def _fire(self, appointment: Appointment) -> steps.Event:
        from peer.io.attempt import Attempt  # loaded since the seat was taken

        learned = self._reporting.learned
        assert learned is not None
        assert self.started_at is not None
        bound = self._agreement.bind(appointment, self._agent.attempt, self._reporting.reported)
        attempt = Attempt(
            appointment=appointment,
            learned=learned,
            session=bytes.fromhex(self._signaling.seated.session),
            key=bound.key,
            clock=self.clock,
            clockmap=self._clockmap,
            on_one_host=self._signaling.asking.host in _LOOPBACK_HOSTS,
            skew_ns=self.settings.hooks.skew_ns,
            emit=self.emit,
            started_at=self.started_at,
            received_at=self._reporting.received_at,
            identity=self._agreement.identity if self.encrypts else None,
            expected=bound.partner,
            digest=bound.digest,
            own=learned.own,
        )
        outcome = await attempt.keep()
        if isinstance(outcome, AttemptResult):
            return self._missed(outcome)
        self._won = outcome
        return steps.Connected()

    async def _relay(self, verdict: MidairError | None) -> steps.Event:
        from peer.io.relay import Relayed

        assert self.started_at is not None
        self._limit_connecting()
        self._reporting.forget()
        relayed = Relayed(
            self._signaling,
            self._agreement,
            self.clock,
            self.emit,
            self.started_at,
            verdict,
            facts_of(self._agent.misses),
        )
        outcome = await relayed.meet()
        if isinstance(outcome, Reason):
            return steps.PartnerLeft(outcome)
        self._won = outcome
        return steps.Connected()

    def _missed(self, result: AttemptResult) -> steps.Event:
        self.emit(Missed(result.attempt, result.reason.value))
        return steps.Missed(result)

    async def _stop(self, error: MidairError) -> None:
        """Tell the rendezvous of an error that the agent has not ordered itself."""
        if self._agent.state in (steps.State.FAILED, steps.State.DONE):
            await self._signaling.aclose()
            return
        known = error.reason if isinstance(error, NoPathError) else _REASONS.get(type(error))
        for order in self._agent.handle(steps.Stopped(error, known or Reason.INTERRUPTED)):
            if isinstance(order, steps.Leave):
                await self._leave(order.reason)

    async def _leave(self, reason: Reason) -> None:
        """Leave, if there is a seat to leave, and close the connection to the rendezvous."""
        try:
            await self._signaling.leave(reason)
        finally:
            await self._signaling.aclose()


_REASONS = {
    AuthenticationError: Reason.AUTHENTICATION,
    PortInUseError: Reason.PORT_IN_USE,
    UnreachableError: Reason.NO_CANDIDATES,
}
"""What the partner hears of an error of this peer's own."""


def _unheard(attempt: int) -> AttemptResult:  # the partner has made it without this peer
    return AttemptResult(attempt=attempt, reason=Reason.APPOINTMENT_LATE, shots=0, refusals=0)


def _seconds(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else duration_ns / NS_PER_S

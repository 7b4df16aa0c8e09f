"""Learning and reporting: what a report says is at most 10 s old when the rendezvous reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from peer.core import steps
from peer.core.clockmap import ClockMap
from peer.core.times import MonoNs
from peer.core.trace import TraceEvent
from peer.errors import RefusedError
from peer.io.answers import StaleTokenError
from peer.io.clock import Clock
from peer.io.learn import FRESH_NS, Learned, learn, trace_of
from peer.io.signaling import Signaling
from peer.settings import Settings
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import Identity, Report
from rendezvous.protocol.times import NS_PER_S

REPORT_POLL_NS = 4 * NS_PER_S
"""A report's poll: the partner is there, so an answer that takes longer may have been lost."""
MAX_REFUSED = 3
"""Reports of one attempt whose tokens the rendezvous may call stale; a restart costs one."""


@dataclass(slots=True)
class Reporting:
    """What one peer knows of itself, and tells; :meth:`forget` what it has claimed.

    Attributes:
        learned: what the newest report says, with the ports that it names.
        reported: every endpoint of this session's reports: an outcome is kept for a report whose
            answer was lost, also when there is a newer one.
        received_at: when the last appointment was read.
    """

    settings: Settings
    signaling: Signaling
    clock: Clock
    clockmap: ClockMap
    emit: Callable[[TraceEvent], None]
    learned: Learned | None = None
    reported: set[Endpoint] = field(default_factory=set)
    received_at: MonoNs = field(init=False)
    _addresses: frozenset[str] = frozenset()

    async def learn(self) -> steps.Learned:
        """Learn afresh, for another attempt.

        Returns:
            The report, and whether the public address has changed since the attempt before.

        Raises:
            MidairError: as :func:`peer.io.learn.learn` does.
        """
        before, learned = self._addresses, await self._learn()
        # Disjoint, not unlike: a family may be missing from one of the two.
        moved = bool(before) and before.isdisjoint(self._addresses)
        return steps.Learned(learned.report, moved)

    async def send(self, attempt: int, report: Report, identity: Identity) -> steps.Event:
        """Hand a report in, until it is answered; learn again where it has grown old.

        Args:
            attempt: 1, 2, …
            report: of the last :meth:`learn`.
            identity: for the partner.

        Returns:
            Appointed, Judged or PartnerLeft.

        Raises:
            GoneError: the partner is at a later attempt.
            MidairError: the rendezvous cannot be used, or learning failed.
        """
        assert self.learned is not None
        refused = 0
        while True:
            fresh_ns = self.learned.at + FRESH_NS - self.clock.now()
            try:
                if fresh_ns <= 0:
                    report = await self._again(report)
                    continue
                own = report.model_copy(update={"identity": identity})
                answer = await self.signaling.report(attempt, own, min(fresh_ns, REPORT_POLL_NS))
            except StaleTokenError:
                refused += 1
                if refused > MAX_REFUSED:
                    raise RefusedError(
                        "the rendezvous takes no report of this peer's, however fresh",
                        "Its reflector and itself must be one program, or share their key",
                    ) from None
                report = await self._again(report)
                continue
            if answer.appointment is not None:
                self.received_at = self.clock.now()
                return steps.Appointed(answer.appointment)
            if answer.verdict is not None:
                return steps.Judged(answer.verdict)
            if answer.left is not None:
                return steps.PartnerLeft(answer.left)

    def forget(self) -> None:
        """Give the ports back; harmless when there are none."""
        if self.learned is not None:
            self.learned.close()
            self.learned = None

    async def _again(self, report: Report) -> Report:
        fresh = (await self._learn()).report
        return fresh.model_copy(update={"previous": report.previous})

    async def _learn(self) -> Learned:
        self.forget()
        learned = await learn(self.settings, self.signaling, self.clock, self.clockmap)
        self.learned, self._addresses = learned, learned.addresses
        self.reported |= learned.own
        for event in trace_of(learned):
            self.emit(event)
        return learned

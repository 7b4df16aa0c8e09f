"""When to fire again: the rule of one volley, without a socket.

Theory of operation
-------------------
A refusal (RST or ICMP) means that this peer was early: the far NAT had no
mapping yet.  Linux conntrack deletes an entry whose only reply is a RST, so
the hole in *this* side's NAT is closed from the refusal until the next SYN
leaves.  Firing again at once keeps it open for all but a few hundred
microseconds of every round trip; any fixed pause keeps it closed for the pause
and can lock into step with the partner's.  So: at once.

Where a refusal takes microseconds (two hosts on one link) that would be 45
SYNs a millisecond.  The pairs therefore have a bucket of shots that may follow
at once; afterwards shots are spaced U(0, 2 ms), at random so that nothing
locks.  When most of the attempt's budget is gone the rest is spread over the
time that is left, so that a partner who comes late still finds somebody.

Without delay two SYNs cross only if both hosts are inside ``connect()`` within
microseconds, on the same pair: firing four pairs in turn makes that four times
rarer.  So after a few shots of each the lowest pair, the same one on both
sides, takes the lead and nearly the whole bucket.  With any real delay nobody
gets that far: 20 refusals of a 5 ms round trip are a tenth of a second, and
four pairs serve against loss.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from peer.core.times import MonoNs
from rendezvous.protocol.times import NS_PER_MS

BURST_SHOTS = 400
"""Shots that may follow at once, for each pair, all pairs' together nearly all the lead's."""
FOLLOWER_SHOTS = 20
"""Of these, what each other pair may use before it waits."""
FOLLOWER_SHARE = 5
"""How much rarer a follower's shots are than the lead's when the rest is spread."""
SPACING_NS = 2 * NS_PER_MS
"""Afterwards: uniform between 0 and this."""
SPREAD_FROM = 0.6
"""The share of the budget after which the rest is spread over the time left."""
SYN_CEILING = 5_000
"""This peer's own limit of SYNs an attempt; an appointment can only lower it."""
ATTEMPT_CEILING_NS = 10_000 * NS_PER_MS
"""This peer's own limit of an attempt's length; an appointment can only lower it."""


@dataclass(slots=True)
class VolleyRule:
    """Shots counted, re-fires allowed or put off.

    Attributes:
        shots: SYNs sent, all pairs.
        refusals: how many of them were refused.
        shots_of: the same by pair.
    """

    budget: int
    deadline: MonoNs
    shots: int = 0
    refusals: int = 0
    shots_of: dict[int, int] = field(default_factory=dict)
    refused_of: dict[int, int] = field(default_factory=dict)
    _due: list[tuple[MonoNs, int]] = field(default_factory=list)

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.shots >= self.budget

    def fired(self, pair: int) -> None:
        """Count a shot.

        Args:
            pair: the pair that fired.
        """
        self.shots += 1
        self.shots_of[pair] = self.shots_of.get(pair, 0) + 1

    def refused(self, pair: int, now: MonoNs, draw: float) -> bool:
        """Count a refusal and decide about the next shot of that pair.

        Args:
            pair: the pair that was refused.
            now: when.
            draw: fresh randomness in [0, 1).

        Returns:
            True: fire again at once.  False: it is put off (see
            :meth:`next_due`) or the budget is spent.
        """
        self.refusals += 1
        self.refused_of[pair] = self.refused_of.get(pair, 0) + 1
        if self.spent or now >= self.deadline:
            return False
        pause_ns = self._pause_ns(pair, now, draw)
        if pause_ns == 0:
            return True
        heapq.heappush(self._due, (MonoNs(now + pause_ns), pair))
        return False

    def next_due(self) -> MonoNs | None:
        """Return when the next put-off shot is due, None without one."""
        return self._due[0][0] if self._due else None

    def take_due(self, now: MonoNs) -> list[int]:
        """Take the pairs whose put-off shot is due.

        Args:
            now: the time.

        Returns:
            Pairs to fire now.
        """
        pairs: list[int] = []
        while self._due and self._due[0][0] <= now:
            pairs.append(heapq.heappop(self._due)[1])
        return pairs

    def _pause_ns(self, pair: int, now: MonoNs, draw: float) -> int:
        pairs = len(self.shots_of)
        leads = pair == min(self.shots_of)
        if self.shots >= SPREAD_FROM * self.budget:
            share_ns = (self.deadline - now) / (self.budget - self.shots)
            return int(2 * draw * share_ns * (1 if leads else FOLLOWER_SHARE * pairs)) + 1
        # What the followers leave of their buckets is the lead's.
        burst = BURST_SHOTS * pairs if leads else FOLLOWER_SHOTS
        return 0 if self.shots_of[pair] < burst else int(SPACING_NS * draw) + 1

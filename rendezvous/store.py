"""Where the sessions are: the interface that the routes use.

Every method takes ``now_us``, so that a test needs no clock.  The methods are
coroutines, although :mod:`rendezvous.memory` never waits, since a store that
several servers share would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rendezvous.allowance import Allowance
from rendezvous.protocol.messages import Reason, RelayPolicy, Report, Seat
from rendezvous.protocol.relay import RelayHeader
from rendezvous.protocol.times import US_PER_S
from rendezvous.session import Answer

VISITS = Allowance(burst=120, refill_us=US_PER_S)
"""An office behind one address, and a laboratory that opens a session a second."""
GUESSES = Allowance(burst=20, refill_us=6 * US_PER_S)
"""Twenty typing errors; then ten guesses a minute, among nameplates and their secrets."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks: the whole seat, and the address it asks from."""

    nameplate: str
    session: str
    seat: Seat
    digest: bytes
    """Of the seat's secret, by :func:`rendezvous.session.secret_digest`."""
    client: str
    pake: str | None = None
    """The seat's message of the key exchange, for the partner."""
    relay: RelayPolicy | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A seat that was taken."""

    nameplate: str
    session: str
    seat: Seat
    partner_pake: str | None = None
    partner_relay: RelayPolicy | None = None


@dataclass(frozen=True, slots=True)
class Partner:
    """Whether the partner has come, and why it has left again."""

    is_there: bool
    left: Reason | None = None
    pake: str | None = None
    relay: RelayPolicy | None = None
    ticket: RelayHeader | None = None
    """What lets the one who asks in at a relay, where both want one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The store's limits; the defaults serve a public server."""

    ttl_us: int = 600 * US_PER_S
    max_sessions: int = 100_000
    """Measured: 14 kB each after one attempt, 30 kB after more, and 50 kB at most, where both
    peers report all that they may: 5 GB when full of these."""
    visits: Allowance = VISITS
    """Sessions opened, joined or re-created by one client address."""
    guesses: Allowance = GUESSES
    """Nameplates that one client address may try in vain."""


class Store(Protocol):
    """What the routes need; each method may raise :class:`Refused`."""

    @property
    def ttl_us(self) -> int:
        """How long a session is kept after its last request."""
        ...

    async def open(
        self,
        secret: str,
        client: str,
        now_us: int,
        *,
        nameplate: str | None = None,
        pake: str | None = None,
        relay: RelayPolicy | None = None,
    ) -> Place:
        """Open a session and take seat a; the same secret gets the same session.

        ``nameplate`` is the client's wish; None: any free one.
        """
        ...

    async def join(
        self,
        nameplate: str,
        secret: str,
        client: str,
        now_us: int,
        *,
        pake: str | None = None,
        relay: RelayPolicy | None = None,
    ) -> Place:
        """Take seat b; the same secret gets the same seat."""
        ...

    async def awaits(self, nameplate: str, now_us: int) -> bool:
        """Tell whether somebody waits under a nameplate for a partner."""
        ...

    async def knows(self, nameplate: str, now_us: int) -> bool:
        """Tell whether there is a session under a nameplate, whoever may join it."""
        ...

    async def partner(self, who: Credentials, now_us: int) -> Partner:
        """Tell whether the partner is there."""
        ...

    async def report(
        self, who: Credentials, attempt: int, report: Report, now_us: int
    ) -> Answer | None:
        """Hand in a report; None while the partner's is awaited."""
        ...

    async def answer(self, who: Credentials, attempt: int, now_us: int) -> Answer | None:
        """Tell again what :meth:`report` told, after a change."""
        ...

    async def withdraw(self, who: Credentials, attempt: int, now_us: int) -> None:
        """Set a report aside until its peer asks again."""
        ...

    async def leave(self, who: Credentials, reason: Reason, now_us: int) -> None:
        """Give the seat up."""
        ...

    def watch(self, name: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` at every change of a session, and keep the session meanwhile.

        A change may slip in before the watch is set: ask once more after it.

        Args:
            name: a session's; or a nameplate that nobody has, until somebody gets it.
            wake: must not wait.

        Returns:
            What ends it.
        """
        ...

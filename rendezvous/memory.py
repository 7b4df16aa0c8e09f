"""The store in memory: every session of one process.

It does nothing of its own accord: what has expired is forgotten at the next
request, found through a heap and not by a scan.
"""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from rendezvous.allowance import Allowances
from rendezvous.candidates import vet
from rendezvous.events import (
    Burned,
    Event,
    Linger,
    PakeSent,
    RelayWished,
    Reported,
    SeatLeft,
    SeatTaken,
    State,
    Withdrawn,
)
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import Reason, RelayPolicy, Report, Seat
from rendezvous.protocol.times import US_PER_S
from rendezvous.refusal import Refused
from rendezvous.session import Answer, Session, secret_digest
from rendezvous.store import Credentials, Limits, Partner, Place
from rendezvous.tokens import TICKET_LIFE_US, Tokens

LINGER_US = 60 * US_PER_S
"""How long a session that is over answers repeated requests."""
ABANDONED_US = 30 * US_PER_S
"""A peer that waits asks every 10 s, and tries for 25 s while the rendezvous does not answer."""
FULL_RETRY_US = 30 * US_PER_S


@dataclass(slots=True, eq=False)
class _Entry:
    nameplate: str
    session_id: str
    session: Session
    expires_us: int
    joinable: bool
    opened_by: bytes | None = None
    watchers: list[Callable[[], None]] = field(default_factory=list)


class MemoryStore:
    """Every session in this process's memory."""

    def __init__(self, tokens: Tokens, limits: Limits | None = None) -> None:
        """Make an empty store.

        Args:
            tokens: what proves a candidate's endpoint.
            limits: None: the defaults.
        """
        self._tokens = tokens
        self._limits = limits or Limits()
        self._visits = Allowances(self._limits.visits, "sessions")
        self._guesses = Allowances(self._limits.guesses, "wrong codes")
        self._entries: dict[str, _Entry] = {}
        self._nameplates: dict[str, _Entry] = {}
        self._openers: dict[bytes, _Entry] = {}
        self._awaited: dict[str, list[Callable[[], None]]] = {}
        """What to wake when somebody gets a nameplate that nobody has."""
        # (when to look, session): looked at again there if it has been used since.
        self._expiries: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """Return how many sessions are kept."""
        return len(self._entries)

    @property
    def ttl_us(self) -> int:
        """How long a session is kept after its last request."""
        return self._limits.ttl_us

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
        """Open a session and take seat a; the same secret gets the same session."""
        self._collect(now_us)
        digest = secret_digest(secret)
        entry = self._openers.get(digest)
        if entry is None:
            self._visits.spend(client, now_us)
            if nameplate is not None and not self._is_free(nameplate, now_us):
                detail = f"somebody else waits under {nameplate}: make a new code"
                raise Refused(ProblemWord.CROWDED, detail)
            entry = self._create(nameplate or self._free_nameplate(), secrets.token_hex(16), now_us)
            entry.opened_by = digest
            self._openers[digest] = entry
            self._apply(entry, SeatTaken("a", digest), now_us)
        return self._place(entry, "a", pake, relay, now_us)

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
        self._collect(now_us)
        self._guesses.check(client, now_us)
        entry = self._nameplates.get(nameplate)
        digest = secret_digest(secret)
        if entry is None or not entry.session.holds("b", digest):
            if entry is None or entry.session.state not in (State.WAITING, State.PAIRED):
                self._guesses.spend(client, now_us)
                raise Refused(
                    ProblemWord.UNKNOWN_NAMEPLATE,
                    f"nobody waits under {nameplate}: mistyped, expired, or used already",
                )
            if not entry.joinable or entry.session.is_taken("b"):
                self._guesses.spend(client, now_us)
                raise Refused(ProblemWord.CROWDED, "both seats of this session are taken")
            self._visits.spend(client, now_us)
            self._apply(entry, SeatTaken("b", digest), now_us)
        return self._place(entry, "b", pake, relay, now_us)

    async def awaits(self, nameplate: str, now_us: int) -> bool:
        """Tell whether somebody waits under a nameplate for a partner."""
        self._collect(now_us)
        entry = self._nameplates.get(nameplate)
        return entry is not None and entry.joinable and entry.session.state is State.WAITING

    async def knows(self, nameplate: str, now_us: int) -> bool:
        """Tell whether there is a session under a nameplate, whoever may join it."""
        self._collect(now_us)
        return nameplate in self._nameplates

    async def partner(self, who: Credentials, now_us: int) -> Partner:
        """Tell whether the partner is there."""
        entry = self._seated(who, now_us, joinable=True)
        left, pake = entry.session.partner_left(who.seat), entry.session.partner_pake(who.seat)
        is_seated = entry.session.is_taken("b" if who.seat == "a" else "a")
        # An opener whose nameplate was drawn for it sends its message with the request after; who
        # joins knows the nameplate, and has sent it with that.
        is_awaited = who.seat == "b" and who.pake is not None and pake is None
        is_there = is_seated and not is_awaited
        policy, ticket = entry.session.partner_relay(who.seat), None
        if entry.session.may_be_relayed:
            ticket = self._tokens.mint_ticket(who.session, who.seat, now_us + TICKET_LIFE_US)
        return Partner(is_there or left is not None, left, pake, policy, ticket)

    async def report(
        self, who: Credentials, attempt: int, report: Report, now_us: int
    ) -> Answer | None:
        """Hand in a report; None while the partner's is awaited."""
        # Who reports has had a partner: after a restart its seat is kept for it.
        entry = self._seated(who, now_us, joinable=False)
        answer = entry.session.answer(who.seat, attempt)
        if answer is None:
            vetted = vet(
                report, lambda text, at: self._tokens.proves(text, at, who.session, now_us)
            )
            self._apply(entry, Reported(who.seat, attempt, vetted), now_us)
            answer = entry.session.answer(who.seat, attempt)
        return answer

    async def answer(self, who: Credentials, attempt: int, now_us: int) -> Answer | None:
        """Tell again what :meth:`report` told, after a change."""
        return self._seated(who, now_us, joinable=False).session.answer(who.seat, attempt)

    async def withdraw(self, who: Credentials, attempt: int, now_us: int) -> None:
        """Set a report aside until its peer asks again."""
        entry = self._entries.get(who.session)
        if entry is not None and entry.session.holds(who.seat, secret_digest(who.secret)):
            self._apply(entry, Withdrawn(who.seat, attempt), now_us)

    async def leave(self, who: Credentials, reason: Reason, now_us: int) -> None:
        """Give the seat up; nothing happens where there is none."""
        self._collect(now_us)
        entry = self._entries.get(who.session)
        if entry is None or not entry.session.is_taken(who.seat):
            return
        self._authenticate(entry, who)
        if not entry.session.has_left(who.seat):
            burns = reason is Reason.AUTHENTICATION
            event = Burned(who.seat) if burns else SeatLeft(who.seat, reason)
            self._apply(entry, event, now_us)

    def watch(self, name: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` at every change of a session, and keep the session meanwhile."""
        entry = self._entries.get(name)
        watchers = self._awaited.setdefault(name, []) if entry is None else entry.watchers
        watchers.append(wake)

        def unwatch() -> None:
            watchers.remove(wake)
            if entry is None and not watchers:
                self._awaited.pop(name, None)

        return unwatch

    def _place(
        self,
        entry: _Entry,
        seat: Seat,
        pake: str | None,
        relay: RelayPolicy | None,
        now_us: int,
    ) -> Place:
        self._take_note(entry, seat, pake, relay, now_us)
        session = entry.session
        partner = session.partner_pake(seat), session.partner_relay(seat)
        return Place(entry.nameplate, entry.session_id, seat, *partner)

    def _take_note(
        self,
        entry: _Entry,
        seat: Seat,
        pake: str | None,
        relay: RelayPolicy | None,
        now_us: int,
    ) -> None:
        """Keep what a seat says in every request, and keep the session."""
        if relay is not None:
            self._apply(entry, RelayWished(seat, relay), now_us)
        if pake is not None:
            self._apply(entry, PakeSent(seat, pake), now_us)
        self._touch(entry, now_us)

    def _seated(self, who: Credentials, now_us: int, *, joinable: bool) -> _Entry:
        self._collect(now_us)
        entry = self._entries.get(who.session)
        if entry is None:
            entry = self._recreate(who, now_us, joinable=joinable)
        if not entry.session.is_taken(who.seat):
            self._apply(entry, SeatTaken(who.seat, secret_digest(who.secret)), now_us)
        self._authenticate(entry, who)
        if entry.session.has_left(who.seat):
            raise Refused(ProblemWord.CLOSED, "this seat was given up: open a new session")
        entry.joinable = entry.joinable and joinable
        self._take_note(entry, who.seat, who.pake, who.relay, now_us)
        return entry

    def _authenticate(self, entry: _Entry, who: Credentials) -> None:
        if not entry.session.holds(who.seat, secret_digest(who.secret)):
            raise Refused(ProblemWord.FORBIDDEN, "another client has this seat")

    def _recreate(self, who: Credentials, now_us: int, *, joinable: bool) -> _Entry:
        if who.nameplate in self._nameplates:
            detail = "the server was restarted and the nameplate is somebody else's by now"
            raise Refused(ProblemWord.CLOSED, f"{detail}: open a new session")
        self._visits.spend(who.client, now_us)
        # A seat b exists only where somebody joined: its session has no seat to give away.
        joinable = joinable and who.seat == "a"
        return self._create(who.nameplate, who.session, now_us, joinable=joinable)

    def _create(
        self, nameplate: str, session_id: str, now_us: int, *, joinable: bool = True
    ) -> _Entry:
        if len(self._entries) >= self._limits.max_sessions:
            raise Refused(
                ProblemWord.FULL,
                "this server holds as many sessions as it may: try again, or another server",
                retry_after_us=FULL_RETRY_US,
            )
        expires_us = now_us + self._limits.ttl_us
        entry = _Entry(nameplate, session_id, Session(), expires_us, joinable)
        self._entries[session_id] = self._nameplates[nameplate] = entry
        heapq.heappush(self._expiries, (expires_us, session_id))
        for wake in self._awaited.get(nameplate, ()):
            wake()
        return entry

    def _is_free(self, nameplate: str, now_us: int) -> bool:
        """Tell whether a client may have the nameplate that it names.

        A session that is over needs it no more, nor one whose peers have gone without a word: a
        listener with a code of its own, started again, need not wait until it expires.  A burned
        one keeps it where there were words: whoever guessed at those of one peer could wait there
        for the other one.
        """
        entry = self._nameplates.get(nameplate)
        if entry is None:
            return True
        if entry.session.state not in (State.WAITING, State.PAIRED):
            return entry.session.state is not State.BURNED or not entry.session.has_words
        used_us = entry.expires_us - self._limits.ttl_us
        return not entry.watchers and used_us + ABANDONED_US <= now_us

    def _free_nameplate(self) -> str:
        """Draw a free number, short ones first, but none that a few guesses would find."""
        for digits in range(4, 10):
            low = 10 ** (digits - 1)
            # A few draws find one while half are free, without a list of the free ones.
            for _ in range(8):
                nameplate = str(low + secrets.randbelow(10**digits - low))
                if nameplate not in self._nameplates:
                    return nameplate
        raise Refused(ProblemWord.FULL, "no nameplate is free", retry_after_us=FULL_RETRY_US)

    def _apply(self, entry: _Entry, event: Event, now_us: int) -> None:
        for command in entry.session.handle(event, now_us=now_us):
            if isinstance(command, Linger):
                entry.expires_us = min(entry.expires_us, now_us + LINGER_US)
                heapq.heappush(self._expiries, (entry.expires_us, entry.session_id))
                continue
            for wake in tuple(entry.watchers):
                wake()

    def _touch(self, entry: _Entry, now_us: int) -> None:
        entry.expires_us = now_us + self._limits.ttl_us

    def _collect(self, now_us: int) -> None:
        """Forget what has expired; each session is looked at once a life time, not each time."""
        while self._expiries and self._expiries[0][0] <= now_us:
            _, session_id = heapq.heappop(self._expiries)
            entry = self._entries.get(session_id)
            if entry is None:
                continue
            if entry.watchers:
                self._touch(entry, now_us)
            if entry.expires_us > now_us:
                heapq.heappush(self._expiries, (entry.expires_us, session_id))
                continue
            del self._entries[session_id]
            if self._nameplates.get(entry.nameplate) is entry:
                del self._nameplates[entry.nameplate]
            if entry.opened_by is not None:
                del self._openers[entry.opened_by]

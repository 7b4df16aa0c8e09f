"""The store in memory: who may do what with the sessions of one process.

Where they are, and until when: :mod:`rendezvous.shelf`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

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
from rendezvous.refusal import Refused
from rendezvous.session import Answer, secret_digest
from rendezvous.shelf import Entry, Shelf
from rendezvous.store import Credentials, Limits, Partner, Place
from rendezvous.tokens import TICKET_LIFE_US, Tokens


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
        self._shelf = Shelf(self._limits.ttl_us, self._limits.max_sessions)

    def __len__(self) -> int:
        """Return how many sessions are kept."""
        return len(self._shelf)

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
        self._shelf.collect(now_us)
        digest = secret_digest(secret)
        entry = self._shelf.opened_by(digest)
        if entry is None:
            self._visits.spend(client, now_us)
            if nameplate is None:
                nameplate = self._shelf.free_nameplate()
            elif not self._shelf.is_free(nameplate, now_us):
                detail = f"somebody else waits under {nameplate}: make a new code"
                raise Refused(ProblemWord.CROWDED, detail)
            name = secrets.token_hex(16)
            entry = self._shelf.add(nameplate, name, now_us, opened_by=digest)
            self._apply(entry, SeatTaken("a", digest), now_us)
        self._take_note(entry, "a", pake, relay, now_us)
        return self._place(entry, "a")

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
        self._shelf.collect(now_us)
        self._guesses.check(client, now_us)
        entry = self._shelf.under(nameplate)
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
        self._take_note(entry, "b", pake, relay, now_us)
        return self._place(entry, "b")

    async def awaits(self, nameplate: str, now_us: int) -> bool:
        """Tell whether somebody waits under a nameplate for a partner."""
        self._shelf.collect(now_us)
        entry = self._shelf.under(nameplate)
        return entry is not None and entry.joinable and entry.session.state is State.WAITING

    async def knows(self, nameplate: str, now_us: int) -> bool:
        """Tell whether there is a session under a nameplate, whoever may join it."""
        self._shelf.collect(now_us)
        return self._shelf.under(nameplate) is not None

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
        entry = self._shelf.named(who.session)
        if entry is not None and entry.session.holds(who.seat, who.digest):
            self._apply(entry, Withdrawn(who.seat, attempt), now_us)

    async def leave(self, who: Credentials, reason: Reason, now_us: int) -> None:
        """Give the seat up; nothing happens where there is none."""
        self._shelf.collect(now_us)
        entry = self._shelf.named(who.session)
        if entry is None or not entry.session.is_taken(who.seat):
            return
        self._authenticate(entry, who)
        if not entry.session.has_left(who.seat):
            burns = reason is Reason.AUTHENTICATION
            event = Burned(who.seat) if burns else SeatLeft(who.seat, reason)
            self._apply(entry, event, now_us)

    def watch(self, name: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` at every change of a session, and keep the session meanwhile."""
        return self._shelf.watch(name, wake)

    def _place(self, entry: Entry, seat: Seat) -> Place:
        session = entry.session
        partner = session.partner_pake(seat), session.partner_relay(seat)
        return Place(entry.nameplate, entry.session_id, seat, *partner)

    def _take_note(
        self,
        entry: Entry,
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
        self._shelf.touch(entry, now_us)

    def _seated(self, who: Credentials, now_us: int, *, joinable: bool) -> Entry:
        self._shelf.collect(now_us)
        entry = self._shelf.named(who.session)
        if entry is None:
            entry = self._recreate(who, now_us, joinable=joinable)
        if not entry.session.is_taken(who.seat):
            self._apply(entry, SeatTaken(who.seat, who.digest), now_us)
        self._authenticate(entry, who)
        if entry.session.has_left(who.seat):
            raise Refused(ProblemWord.CLOSED, "this seat was given up: open a new session")
        entry.joinable = entry.joinable and joinable
        self._take_note(entry, who.seat, who.pake, who.relay, now_us)
        return entry

    def _authenticate(self, entry: Entry, who: Credentials) -> None:
        if not entry.session.holds(who.seat, who.digest):
            raise Refused(ProblemWord.FORBIDDEN, "another client has this seat")

    def _recreate(self, who: Credentials, now_us: int, *, joinable: bool) -> Entry:
        if self._shelf.under(who.nameplate) is not None:
            detail = "the server was restarted and the nameplate is somebody else's by now"
            raise Refused(ProblemWord.CLOSED, f"{detail}: open a new session")
        self._visits.spend(who.client, now_us)
        # A seat b exists only where somebody joined: its session has no seat to give away.
        joinable = joinable and who.seat == "a"
        return self._shelf.add(who.nameplate, who.session, now_us, joinable=joinable)

    def _apply(self, entry: Entry, event: Event, now_us: int) -> None:
        for command in entry.session.handle(event, now_us=now_us):
            if isinstance(command, Linger):
                self._shelf.linger(entry, now_us)
                continue
            for wake in tuple(entry.watchers):
                wake()

"""Where the sessions of one process are: by name, by nameplate, and until when.

Not for who may do what with one: that is :mod:`rendezvous.memory`.

It does nothing of its own accord: what has expired is forgotten at the next request, found through
a heap and not by a scan.
"""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from rendezvous.events import State
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.times import US_PER_S
from rendezvous.refusal import Refused
from rendezvous.session import Session

LINGER_US = 60 * US_PER_S
"""How long a session that is over answers repeated requests."""
ABANDONED_US = 30 * US_PER_S
"""A peer that waits asks every 10 s, and tries for 25 s while the rendezvous does not answer."""
FULL_RETRY_US = 30 * US_PER_S


@dataclass(slots=True, eq=False)
class Entry:
    """One session that is kept."""

    nameplate: str
    session_id: str
    expires_us: int
    joinable: bool
    """Whether a client that knows nothing but the nameplate may have its seat b."""
    opened_by: bytes | None = None
    """The digest of its opener's secret; None: it was made again after a restart."""
    session: Session = field(default_factory=Session)
    watchers: list[Callable[[], None]] = field(default_factory=list)


class Shelf:
    """All sessions of this process."""

    def __init__(self, ttl_us: int, max_sessions: int) -> None:
        """Make an empty one.

        Args:
            ttl_us: how long a session is kept after its last request.
            max_sessions: most at one time.
        """
        self._ttl_us = ttl_us
        self._max_sessions = max_sessions
        self._entries: dict[str, Entry] = {}
        self._nameplates: dict[str, Entry] = {}
        self._openers: dict[bytes, Entry] = {}
        self._awaited: dict[str, list[Callable[[], None]]] = {}
        """What to wake when somebody gets a nameplate that nobody has."""
        # (when to look, session): looked at again there if it has been used since.
        self._expiries: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """Return how many sessions are kept."""
        return len(self._entries)

    def named(self, session_id: str) -> Entry | None:
        """Return the session of this name."""
        return self._entries.get(session_id)

    def under(self, nameplate: str) -> Entry | None:
        """Return the session that has a nameplate."""
        return self._nameplates.get(nameplate)

    def opened_by(self, digest: bytes) -> Entry | None:
        """Return the session that the holder of a seat secret has opened."""
        return self._openers.get(digest)

    def add(
        self,
        nameplate: str,
        session_id: str,
        now_us: int,
        *,
        joinable: bool = True,
        opened_by: bytes | None = None,
    ) -> Entry:
        """Keep a new session.

        Args:
            nameplate: its nameplate from now on.
            session_id: its name.
            now_us: the rendezvous's time.
            joinable: see :class:`Entry`; so is the next.
            opened_by: for :meth:`opened_by`.

        Returns:
            The session, with empty seats.

        Raises:
            Refused: ``full``.
        """
        if len(self._entries) >= self._max_sessions:
            raise Refused(
                ProblemWord.FULL,
                "this server holds as many sessions as it may: try again, or another server",
                retry_after_us=FULL_RETRY_US,
            )
        entry = Entry(nameplate, session_id, now_us + self._ttl_us, joinable, opened_by)
        self._entries[session_id] = self._nameplates[nameplate] = entry
        if opened_by is not None:
            self._openers[opened_by] = entry
        heapq.heappush(self._expiries, (entry.expires_us, session_id))
        for wake in self._awaited.get(nameplate, ()):
            wake()
        return entry

    def is_free(self, nameplate: str, now_us: int) -> bool:
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
        used_us = entry.expires_us - self._ttl_us
        return not entry.watchers and used_us + ABANDONED_US <= now_us

    def free_nameplate(self) -> str:
        """Draw a free number, short ones first, but none that a few guesses would find.

        Raises:
            Refused: ``full``.
        """
        for digits in range(4, 10):
            low = 10 ** (digits - 1)
            # A few draws find one while half are free, without a list of the free ones.
            for _ in range(8):
                nameplate = str(low + secrets.randbelow(10**digits - low))
                if nameplate not in self._nameplates:
                    return nameplate
        raise Refused(ProblemWord.FULL, "no nameplate is free", retry_after_us=FULL_RETRY_US)

    def watch(self, name: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Do as :meth:`rendezvous.store.Store.watch` says."""
        entry = self._entries.get(name)
        watchers = self._awaited.setdefault(name, []) if entry is None else entry.watchers
        watchers.append(wake)

        def unwatch() -> None:
            watchers.remove(wake)
            if entry is None and not watchers:
                self._awaited.pop(name, None)

        return unwatch

    def touch(self, entry: Entry, now_us: int) -> None:
        """Keep a session for its whole life time from now on."""
        entry.expires_us = now_us + self._ttl_us

    def linger(self, entry: Entry, now_us: int) -> None:
        """Keep a session only for repeated requests from now on."""
        entry.expires_us = min(entry.expires_us, now_us + LINGER_US)
        heapq.heappush(self._expiries, (entry.expires_us, entry.session_id))

    def collect(self, now_us: int) -> None:
        """Forget what has expired; each session is looked at once a life time, not each time."""
        while self._expiries and self._expiries[0][0] <= now_us:
            _, session_id = heapq.heappop(self._expiries)
            entry = self._entries.get(session_id)
            if entry is None:
                continue
            if entry.watchers:
                self.touch(entry, now_us)
            if entry.expires_us > now_us:
                heapq.heappush(self._expiries, (entry.expires_us, session_id))
                continue
            del self._entries[session_id]
            if self._nameplates.get(entry.nameplate) is entry:
                del self._nameplates[entry.nameplate]
            if entry.opened_by is not None:
                del self._openers[entry.opened_by]

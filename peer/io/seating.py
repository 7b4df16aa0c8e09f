"""Taking a seat and agreeing the key with whoever takes the other one.

A code is good for one session, so a nameplate where nobody waits is a mistake.  A secret serves
again and again: either side may be first, and one that was stopped may come back before the
rendezvous has noticed that it was gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peer.core.code import Code
from peer.core.secret import Secret
from peer.core.times import MonoNs
from peer.core.trace import TraceEvent, Waiting
from peer.errors import CrowdedError, NameplateError
from peer.io.agreement import Agreement, make_identity
from peer.io.clock import Clock
from peer.io.keying import Keying, Known
from peer.io.signaling import WAIT_POLL_US, Signaling
from rendezvous.protocol.messages import Reason, RelayPolicy, Seated
from rendezvous.protocol.times import NS_PER_S

if TYPE_CHECKING:
    from peer.io.identity import Identity

AGAIN_NS = 7 * NS_PER_S
"""Each vain try counts as a guess at a nameplate: twenty, and then one each 6 s."""


@dataclass(slots=True)
class Seating:
    """How a peer gets its seat, and a key.

    Attributes:
        known: what both users have; None: a code is made once there is a nameplate.
        waits: the user has been told that the partner is waited for.
        partner_relay: what the partner thinks of a relay, once it is there.
        agreement: with the partner, once its part of the key exchange has come.
    """

    signaling: Signaling
    clock: Clock
    emit: Callable[[TraceEvent], None]
    known: Known | None
    agreement: Agreement | None = None
    waits: bool = False
    partner_relay: RelayPolicy | None = None
    _keying: Keying = field(init=False)
    _identity: Identity | None = None

    async def open(self, words: int, on_code: Callable[[Code], None]) -> None:
        """Take the first seat.

        Args:
            words: of a code that is made.
            on_code: called when one was made.

        Raises:
            RendezvousError: it cannot be used.
        """
        if self.known is not None:
            self._begin(self.known)
            seated = await self._open(self.known)
        else:
            seated = await self.signaling.open(meanwhile=self._prepare)
            code = Code(seated.nameplate, secrets.token_bytes(words))
            self.known = code
            self._begin(code)
            on_code(code)
        self._tell(seated.nameplate)

    async def _open(self, known: Known) -> Seated:
        while True:
            asked_at = self.clock.now()
            try:
                return await self.signaling.open(known.nameplate, self._prepare)
            except CrowdedError:
                if not isinstance(known, Secret):
                    raise
            self._tell(known.nameplate)
            await self.clock.sleep_until(MonoNs(asked_at + AGAIN_NS))

    async def join(self, known: Known) -> bool:
        """Take the second seat.

        Args:
            known: what both users have.

        Returns:
            Whether the key is agreed; False: wait for the partner's part of it.

        Raises:
            RendezvousError: it cannot be used, or nobody waits under this code.
            AuthenticationError: the partner's part is none.
        """
        self._begin(known)
        seated = await self._join(known)
        self.partner_relay = seated.partner_relay
        return self._agree(seated.partner_pake)

    async def _join(self, known: Known) -> Seated:
        wait_us = 0
        while True:
            asked_at = self.clock.now()
            try:
                return await self.signaling.join(known.nameplate, wait_us, self._prepare)
            except (NameplateError, CrowdedError):
                if not isinstance(known, Secret):
                    raise
            self._tell(known.nameplate)
            if wait_us:
                await self.clock.sleep_until(MonoNs(asked_at + AGAIN_NS))
            wait_us = WAIT_POLL_US

    async def await_partner(self) -> Reason | None:
        """Wait for the partner, and agree the key.

        Returns:
            Why the partner has left again; None: it is there.

        Raises:
            RendezvousError: the rendezvous cannot be used.
            AuthenticationError: the partner's part of the exchange is none.
        """
        while True:
            answer = await self.signaling.wait()
            if answer.left is not None:
                return answer.left
            if answer.partner and self._agree(answer.partner_pake):
                self.partner_relay = answer.partner_relay
                return None

    def _begin(self, known: Known) -> None:
        self._keying = Keying(known)
        self.signaling.pake = self._keying.message

    def _prepare(self) -> None:
        """Load and make what is needed once the partner has come, while an answer is on its way.

        Later there is no time for it: clocks are measured, and then the instant is near.
        """
        if self._identity is None:
            if not isinstance(self.known, Secret):
                from peer.core import pake  # noqa: F401 - the key's, where there is no code yet
            from peer.io import attempt  # noqa: F401 - the runner's

            self._identity = make_identity()

    def _agree(self, partner_pake: str | None) -> bool:
        seated = self.signaling.seated
        self.agreement = self._keying.agree(seated, partner_pake, self._identity)
        return self.agreement is not None

    def _tell(self, nameplate: str) -> None:
        if not self.waits:
            self.waits = True
            self.emit(Waiting(nameplate))

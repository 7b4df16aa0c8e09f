"""What two peers of one session agree on through a rendezvous that they need not trust.

Each has a certificate for the session, proves in its report that it belongs to who knows the code,
and checks the partner's proof before a single SYN goes out. The keys of an attempt's connections
hold the session's key, the plan and both certificates.
"""

from __future__ import annotations

import hmac
from collections.abc import Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peer.core.binding import BindingError, digest
from peer.core.keys import SessionKey, identity_holds, identity_proof, race_key
from peer.errors import AuthenticationError, RefusedError
from rendezvous.protocol import messages
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import Appointment, Seat

if TYPE_CHECKING:
    from peer.io.identity import Identity

AGAIN = "Start again on both sides, with a new code"
"""What helps against all of it: a code is good for one session."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What the connections of one attempt are proven by."""

    key: bytes = field(repr=False)
    """32 bytes: equal on both sides only where both saw one plan and one pair of certificates."""
    digest: bytes
    """Of the plan, 32 bytes."""
    partner: bytes
    """Fingerprint of the certificate that the partner will show."""


def make_identity() -> Identity:
    """Make a certificate; what that takes is loaded here, and not before it is wanted."""
    from peer.io.identity import Identity

    return Identity.make()


@dataclass(frozen=True, slots=True)
class Agreement:
    """One peer's part of it."""

    key: SessionKey
    seat: Seat
    identity: Identity = field(default_factory=make_identity)

    def announce(self, attempt: int) -> messages.Identity:
        """Say whose certificate this peer's connections will show.

        Args:
            attempt: 1, 2, …

        Returns:
            What goes into the report of this attempt.
        """
        own = self.identity.fingerprint
        proof = identity_proof(self.key, self.seat, attempt, own)
        return messages.Identity(certificate=own.hex(), proof=proof.hex())

    def bind(self, appointment: Appointment, attempt: int, own: Set[Endpoint]) -> Bound:
        """Check who the partner is, and bind the attempt to that and to the plan.

        Args:
            appointment: as it came.
            attempt: that it was asked for.
            own: every endpoint that this peer has reported in this session.

        Returns:
            What the attempt needs.

        Raises:
            AuthenticationError: the partner does not know the code or is told to fire elsewhere,
                or this is another attempt's appointment.
            RefusedError: the rendezvous has another version's appointments.
        """
        if appointment.partner is None:
            # Else a stranger could hear this peer's proof, and try its guess at it unnoticed.
            raise AuthenticationError("your partner does not say who it is", AGAIN)
        if appointment.attempt != attempt:
            raise AuthenticationError(
                f"the rendezvous answers attempt {attempt} with one of attempt "
                f"{appointment.attempt}",
                "Use another rendezvous",
            )
        partner = bytes.fromhex(appointment.partner.certificate)
        self._check(partner, bytes.fromhex(appointment.partner.proof), appointment.attempt)
        try:
            plan = digest(self.key.session, appointment)
        except BindingError as error:
            raise RefusedError(
                f"the rendezvous cannot be checked: {error}", "Install an equal version there"
            ) from None
        for pair in appointment.pairs:
            if pair.own is not None and Endpoint.parse(pair.own) not in own:
                raise AuthenticationError(
                    f"the rendezvous told your partner to fire at {pair.own}, where you are not",
                    "Use another rendezvous",
                )
        mine = self.identity.fingerprint
        first, second = (mine, partner) if appointment.role == "initiator" else (partner, mine)
        return Bound(race_key(self.key, plan, first, second), plan, partner)

    def _check(self, partner: bytes, proof: bytes, attempt: int) -> None:
        if hmac.compare_digest(partner, self.identity.fingerprint):
            raise AuthenticationError("this peer's own certificate came back", AGAIN)
        theirs: Seat = "b" if self.seat == "a" else "a"
        if not identity_holds(proof, self.key, theirs, attempt, partner):
            raise AuthenticationError(
                "your partner does not know the code: the two codes are not the same, or it is a "
                "stranger",
                "This code is used up: run `midair listen` again and copy the new one exactly",
            )

"""Who the partner is: known before the first SYN, whatever the rendezvous says."""

from __future__ import annotations

import pytest

from peer.core.keys import SessionKey
from peer.errors import AuthenticationError, RefusedError
from peer.io.agreement import Agreement
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import Appointment, Identity
from rendezvous.protocol.planner import plan
from tests.fakes.server import NOW_US, report, srflx

SESSION = bytes(16)
OWN = {Endpoint.parse(text) for text in ("198.51.100.2:20000", "203.0.113.2:20000")}
KEY, OTHER = (SessionKey(bytes([n]) * 32, SESSION) for n in (1, 2))


def appointed(a: Identity | None, b: Identity | None) -> tuple[Appointment, Appointment]:
    said_a = report(srflx("198.51.100.2:20000"), identity=a)
    agreed = plan(said_a, report(srflx("203.0.113.2:20000"), identity=b), 1, NOW_US)
    assert isinstance(agreed.a, Appointment)
    assert isinstance(agreed.b, Appointment)
    return agreed.a, agreed.b


def test_both_sides_bind_to_one_key_and_to_each_others_certificates() -> None:
    a, b = Agreement(KEY, "a"), Agreement(KEY, "b")
    for_a, for_b = appointed(a.announce(1), b.announce(1))
    bound_a, bound_b = a.bind(for_a, 1, OWN), b.bind(for_b, 1, OWN)
    assert (bound_a.key, bound_a.digest) == (bound_b.key, bound_b.digest)
    assert bound_a.partner == b.identity.fingerprint
    assert bound_b.partner == a.identity.fingerprint


def test_both_sides_hear_of_a_wrong_code() -> None:
    a, b = Agreement(KEY, "a"), Agreement(OTHER, "b")
    for_a, for_b = appointed(a.announce(1), b.announce(1))
    for side, told in ((a, for_a), (b, for_b)):
        with pytest.raises(AuthenticationError, match="does not know the code"):
            side.bind(told, 1, OWN)


def test_rendezvous_that_swaps_a_certificate_is_caught() -> None:
    a, b = Agreement(KEY, "a"), Agreement(KEY, "b")
    swapped = b.announce(1).model_copy(update={"certificate": "c" * 64})
    with pytest.raises(AuthenticationError):
        a.bind(appointed(a.announce(1), swapped)[0], 1, OWN)


def test_rendezvous_that_sends_a_peers_own_proof_back_is_caught() -> None:
    a = Agreement(KEY, "a")
    with pytest.raises(AuthenticationError, match="own certificate"):
        a.bind(appointed(a.announce(1), a.announce(1))[0], 1, OWN)


def test_identity_of_another_attempt_is_caught() -> None:
    a, b = Agreement(KEY, "a"), Agreement(KEY, "b")
    with pytest.raises(AuthenticationError):
        a.bind(appointed(a.announce(1), b.announce(2))[0], 1, OWN)


def test_rendezvous_that_tells_one_side_another_instant_gets_two_keys() -> None:
    a, b = Agreement(KEY, "a"), Agreement(KEY, "b")
    for_a, for_b = appointed(a.announce(1), b.announce(1))
    later = for_b.model_copy(update={"instant_us": for_b.instant_us + 1})
    assert a.bind(for_a, 1, OWN).key != b.bind(later, 1, OWN).key


def test_partner_that_does_not_say_who_it_is_has_had_its_guess() -> None:
    # It hears this side's proof, and can try its guess at that.
    a = Agreement(KEY, "a")
    for_a, _ = appointed(a.announce(1), None)
    with pytest.raises(AuthenticationError, match="does not say who"):
        a.bind(for_a, 1, OWN)


def test_appointment_of_another_attempt_is_caught() -> None:
    a, b = Agreement(KEY, "a"), Agreement(KEY, "b")
    for_a, _ = appointed(a.announce(1), b.announce(1))
    with pytest.raises(AuthenticationError, match="attempt 2 with one of attempt 1"):
        a.bind(for_a, 2, OWN)


def test_rendezvous_that_names_no_own_endpoint_is_refused() -> None:
    a, b = Agreement(KEY, "a"), Agreement(KEY, "b")
    for_a, _ = appointed(a.announce(1), b.announce(1))
    hidden = tuple(pair.model_copy(update={"own": None}) for pair in for_a.pairs)
    with pytest.raises(RefusedError, match="cannot be checked"):
        a.bind(for_a.model_copy(update={"pairs": hidden}), 1, OWN)


def test_rendezvous_that_tells_the_partner_another_endpoint_is_caught() -> None:
    a, b = Agreement(KEY, "a"), Agreement(KEY, "b")
    for_a, _ = appointed(a.announce(1), b.announce(1))
    with pytest.raises(AuthenticationError, match=r"at 198\.51\.100\.2:20000, where you"):
        a.bind(for_a, 1, {Endpoint.parse("198.51.100.2:20001")})

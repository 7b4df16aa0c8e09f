"""CERTIFICATE and CONFIRM: arbitrary bytes are refused, and everything seen is bound."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.confirm import (
    CERTIFICATE_MAX,
    HEADER,
    Transcript,
    certificate_length,
    confirmation,
    confirms,
    encode_certificate,
)
from peer.core.greeting import Facts
from peer.core.proof import Place
from rendezvous.protocol.errors import ProtocolError

FACTS = Facts(1, 2, 3, 4, 5, 6)
SEEN = Transcript(Place(bytes(16), 1, 0), b"i" * 32, b"r" * 32, b"a" * 32, FACTS, FACTS)
KEY = bytes(32)


def test_confirmation_of_the_partner_holds_and_ones_own_sent_back_does_not() -> None:
    assert confirms(confirmation(KEY, "responder", SEEN), KEY, "initiator", SEEN)
    assert not confirms(confirmation(KEY, "initiator", SEEN), KEY, "initiator", SEEN)
    assert not confirms(confirmation(b"x" * 32, "responder", SEEN), KEY, "initiator", SEEN)


@pytest.mark.parametrize(
    "other",
    [
        replace(SEEN, place=Place(b"s" * 16, 1, 0)),
        replace(SEEN, place=Place(bytes(16), 0, 1)),
        replace(SEEN, initiator_fingerprint=b"m" * 32),
        replace(SEEN, responder_fingerprint=b"m" * 32),
        replace(SEEN, initiator_fingerprint=b"r" * 32, responder_fingerprint=b"i" * 32),
        replace(SEEN, appointment=b"b" * 32),
        replace(SEEN, initiator_facts=replace(FACTS, first_us=-1)),
        replace(SEEN, responder_facts=replace(FACTS, shots=9)),
    ],
)
def test_confirmation_when_anything_was_seen_otherwise_does_not_hold(other: Transcript) -> None:
    assert not confirms(confirmation(KEY, "responder", other), KEY, "initiator", SEEN)


def test_confirmation_of_a_short_fingerprint_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        confirmation(KEY, "initiator", replace(SEEN, appointment=b"short"))


@given(st.binary(min_size=1, max_size=CERTIFICATE_MAX))
def test_certificate_round_trips(certificate: bytes) -> None:
    data = encode_certificate(certificate)
    assert certificate_length(data[: HEADER.size]) == len(certificate)
    assert data[HEADER.size :] == certificate


@given(st.binary(min_size=HEADER.size, max_size=HEADER.size))
def test_certificate_of_arbitrary_bytes_is_a_length_or_a_protocol_error(head: bytes) -> None:
    try:
        assert 1 <= certificate_length(head) <= CERTIFICATE_MAX
    except ProtocolError:
        assert head[0] != 5 or not 1 <= int.from_bytes(head[1:], "big") <= CERTIFICATE_MAX

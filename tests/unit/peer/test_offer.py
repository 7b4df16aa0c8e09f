"""What two sides are here for: encoded, decoded, and whether it goes together."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core import offer as offers
from peer.core.offer import MismatchError, Offer, Side, Use
from rendezvous.protocol.errors import ProtocolError

PIPE = Offer(Use.PIPE)
TARGET = Offer(Use.FORWARD, Side.GIVES)
BIND = Offer(Use.FORWARD, Side.TAKES)
SEND = Offer(Use.FILES, Side.GIVES)
RECEIVE = Offer(Use.FILES, Side.TAKES)
ALL = [PIPE, TARGET, BIND, SEND, RECEIVE]
TOGETHER = [(PIPE, PIPE), (TARGET, BIND), (TARGET, PIPE), (SEND, RECEIVE)]


@pytest.mark.parametrize("offer", ALL)
def test_offer_encoded_and_decoded_is_the_same(offer: Offer) -> None:
    data = offers.encode(offer)
    assert offers.body_length(data[:2]) == len(data) - 2
    assert offers.decode(data[2:]) == offer


def test_encode_forward_is_these_bytes() -> None:
    assert offers.encode(TARGET) == b'\x00\x23{"use": "forward", "side": "gives"}'


def test_decode_ignores_unknown_keys() -> None:
    assert offers.decode(b'{"use": "pipe", "color": 3}') == PIPE


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"null", b"\xff", b'{"use": 1}', b'{"use": "tea"}', b'{"use": "forward"}',
     b'{"use": []}', b'{"use": "pipe", "side": "gives"}', b'{"use": "files", "side": null}'],
)  # fmt: skip
def test_decode_refuses_what_is_no_offer(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        offers.decode(body)


@given(st.binary(max_size=offers.OFFER_MAX))
def test_decode_arbitrary_bytes_raises_only_protocol_errors(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        offers.decode(body)


@pytest.mark.parametrize("length", [0, 1, offers.OFFER_MAX + 1, 65_535])
def test_body_length_refuses_sizes_that_nobody_needs(length: int) -> None:
    with pytest.raises(ProtocolError):
        offers.body_length(length.to_bytes(2, "big"))


@pytest.mark.parametrize("own", ALL)
@pytest.mark.parametrize("theirs", ALL)
def test_check_together_knows_the_four_pairs(own: Offer, theirs: Offer) -> None:
    if (own, theirs) in TOGETHER or (theirs, own) in TOGETHER:
        offers.check_together(own, theirs)
    else:
        with pytest.raises(MismatchError, match="your partner"):
            offers.check_together(own, theirs)


def test_mismatch_names_both_commands_and_what_goes_with_each() -> None:
    error = MismatchError(PIPE, SEND)
    assert error.what == "your partner runs `midair send`, which does not go with a plain pipe here"
    assert error.hint == (
        "Run `midair receive` here, or `midair listen` or `midair connect` without such options "
        "there, with a new code"
    )

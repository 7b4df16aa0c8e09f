"""Whatever is sent to a reflector: STUN's own answers or a close, and the server serves on."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rendezvous.protocol import stun
from tests.api.fuzz import AT_ONCE, SHORT, bent_bytes, converse
from tests.loopback.faults.rendezvous.server import Server, carries_a_session

ID, SESSION = bytes(range(12)), "0" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a server, which must have said nothing in the end, no traceback either."""
    with Server(**SHORT) as running:
        yield running


def framed(attributes: bytes, kind: int = 1) -> bytes:
    """Return a message with these attributes."""
    return struct.pack("!HHI", kind, len(attributes), 0x2112A442) + ID + attributes


@st.composite
def attributes(draw: st.DrawFn) -> bytes:
    """Draw attributes whose lengths may lie."""
    kinds = st.sampled_from([0x0001, 0x0008, 0x0020, 0x8028, 0xC0D0, 0xC0D1]) | st.integers(
        0, 65535
    )
    made = b""
    for _ in range(draw(st.integers(0, 4))):
        value = draw(st.binary(max_size=140))
        length = draw(st.just(len(value)) | st.integers(0, 65535))
        made += struct.pack("!HH", draw(kinds), length) + value + bytes(-len(value) % 4)
    return made


REQUESTS = [stun.encode_binding_request(ID), stun.encode_binding_request(ID, SESSION)]
SENT = (
    st.sampled_from([*REQUESTS, b"".join(REQUESTS)]).flatmap(bent_bytes)
    | st.builds(framed, attributes(), st.sampled_from([1, 1, 1, 2, 0x0011, 0x0101, 0x0111]))
    | st.binary(max_size=200)
)


def answers(heard: bytes) -> Iterator[stun.StunMessage]:
    """Take a connection's bytes apart."""
    while heard:
        length = stun.frame_length(heard)
        yield stun.decode(heard[:length])
        heard = heard[length:]


def test_bytes_when_they_are_no_binding_request_are_refused_or_the_connection_is_closed(
    server: Server,
) -> None:
    @settings(max_examples=60)
    @given(sent=st.lists(SENT, min_size=1, max_size=AT_ONCE), reset=st.booleans())
    @example(sent=[*REQUESTS, framed(bytes(1004)), framed(bytes(1008)), framed(b"ab")], reset=False)
    @example(sent=[request[:n] for request in REQUESTS for n in (0, 1, 19, 20, 21)], reset=False)
    @example(sent=[REQUESTS[0] * 3_000, framed(bytes(65_532)), b"\x00" * 100_000], reset=False)
    def attack(sent: list[bytes], reset: bool) -> None:
        for data, heard in zip(
            sent, converse(server.reflectors[0], sent, reset=reset), strict=False
        ):
            for answer in answers(heard):
                assert answer.kind in ("success", "error")
                assert answer.transaction_id in data

    attack()
    carries_a_session(server.url)


def test_request_when_it_is_right_is_answered_beside_all_that(server: Server) -> None:
    (heard,) = converse(server.reflectors[1], [REQUESTS[1]], reset=False)
    (answer,) = answers(heard)
    assert answer.mapped is not None
    assert answer.token

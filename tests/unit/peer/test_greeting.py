"""The greeting's codec: round trips in any chunking, and nothing but ProtocolError on garbage."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.greeting import (
    Facts,
    Greeting,
    GreetingDecoder,
    Hello,
    Proof,
    Select,
    Selected,
    encode,
)
from peer.core.proof import Place
from rendezvous.protocol.errors import ProtocolError

u32 = st.integers(0, 2**32 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
facts = st.builds(Facts, u32, u32, u32, u32, i64, i64)
u16 = st.integers(0, 2**16 - 1)
places = st.builds(Place, st.binary(min_size=16, max_size=16), u16, u16)
greetings: st.SearchStrategy[Greeting] = st.one_of(
    st.builds(Hello, places, st.binary(min_size=32, max_size=32), version=st.integers(0, 2**8 - 1)),
    st.builds(Proof, st.binary(min_size=32, max_size=32)),
    st.builds(Select, facts),
    st.builds(Selected, facts),
)


def decode_all(chunks: list[bytes]) -> list[Greeting]:
    decoder = GreetingDecoder()
    found = []
    for chunk in chunks:
        decoder.feed(chunk)
        while (message := decoder.next()) is not None:
            found.append(message)
    return found


@given(st.lists(greetings, max_size=5), st.data())
def test_decode_when_cut_anywhere_returns_what_was_encoded(
    messages: list[Greeting], data: st.DataObject
) -> None:
    text = b"".join(encode(message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    edges = [0, *cuts, len(text)]
    chunks = [text[a:b] for a, b in itertools.pairwise(edges)]

    assert decode_all(chunks) == messages


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_decode_when_arbitrary_bytes_come_raises_only_protocol_errors(chunks: list[bytes]) -> None:
    try:
        found = decode_all(chunks)
    except ProtocolError:
        return
    assert b"".join(chunks).startswith(b"".join(encode(message) for message in found))


@given(greetings, st.integers(0, 61), st.binary(min_size=1, max_size=1))
def test_decode_when_a_byte_is_changed_reads_what_it_says_or_refuses(
    message: Greeting, at: int, byte: bytes
) -> None:
    text = bytearray(encode(message))
    at %= len(text)
    text[at : at + 1] = byte
    try:
        found = decode_all([bytes(text)])
    except ProtocolError:
        return
    assert [encode(other) for other in found] in ([], [bytes(text)])


@given(greetings, st.binary(min_size=1, max_size=40))
def test_wanted_when_obeyed_leaves_the_streams_bytes_alone(
    message: Greeting, stream: bytes
) -> None:
    decoder, rest = GreetingDecoder(), encode(message) + stream
    while (found := decoder.next()) is None:
        taken, rest = rest[: decoder.wanted], rest[decoder.wanted :]
        decoder.feed(taken)

    assert found == message
    assert rest == stream


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GET / HTTP/1.1\r\n", "type 71 and length 17748"),
        (struct.pack("!BH", 1, 32) + bytes(32), "type 1 and length 32"),
        (struct.pack("!BH", 0, 0), "type 0"),
        (struct.pack("!BH", 1, 59) + b"MIDAIR" + bytes(53), "without our mark"),
    ],
)
def test_decode_when_it_is_no_greeting_says_so(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        decode_all([data])


def test_encode_when_a_count_is_too_great_says_the_most_there_is() -> None:
    [decoded] = decode_all([encode(Select(Facts(2**40, 2**40, 0, 2**40, 0, 0)))])

    assert decoded == Select(Facts(2**32 - 1, 2**32 - 1, 0, 2**32 - 1, 0, 0))

"""Messages of a transfer: bytes that are none raise ProtocolError and nothing else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.transfer.messages import (
    CONTENT_MAX,
    HEADER,
    MESSAGE_MAX,
    Accepted,
    Begin,
    Entries,
    Entry,
    Type,
    content_header,
    decode,
    decode_header,
    encode,
)
from rendezvous.protocol.errors import ProtocolError


@given(st.binary(max_size=300))
def test_decode_arbitrary_bytes_raises_only_protocol_errors(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode(body)


def test_decode_when_it_quotes_the_partner_stays_printable() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(b'{"say": "\\u001b[31m\\u0007' + b"x" * 5000 + b'"}')
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@given(st.binary(min_size=HEADER.size, max_size=HEADER.size))
def test_decode_header_arbitrary_bytes_is_bounded_or_refused(head: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        kind, length = decode_header(head)
        assert length <= {Type.MESSAGE: MESSAGE_MAX, Type.CONTENT: CONTENT_MAX}[kind]


@given(
    st.text(), st.integers(0, 2**63 - 1), st.integers(0, 0o777), st.integers(-(2**63), 2**63 - 1)
)
def test_entries_when_encoded_and_decoded_are_the_same(
    name: str, size: int, mode: int, mtime_ns: int
) -> None:
    message = Entries((Entry(name, "file", size, mode, mtime_ns),))
    frame = encode(message)

    assert decode_header(frame[: HEADER.size]) == (Type.MESSAGE, len(frame) - HEADER.size)
    assert decode(frame[HEADER.size :]) == message


def test_decode_when_a_key_is_unknown_ignores_it() -> None:
    assert decode(b'{"say": "accepted", "gladly": true}') == Accepted()
    assert decode(b'{"say": "begin", "file": 0, "offset": 1, "x": []}') == Begin(0, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"null",
        b"\xff\xff",
        b'{"say": "sing"}',
        b'{"say": "entries", "entries": []}',
        b'{"say": "begin", "file": "0", "offset": 1}',
        b'{"say": "begin", "file": -1, "offset": 1}',
        b'{"say": "begin", "file": 0, "offset": 1.0}',
        b'{"say": "begin", "file": true, "offset": 1}',
        b'{"say": "begin", "file": 0, "offset": 9223372036854775808}',
        b'{"say": "complete", "sha256": "xyz"}',
        b'{"say": "complete", "sha256": "' + b"0" * 64 + b'\\n"}',
        b'{"say": "entries", "entries": [{"name": "a", "kind": "link"}]}',
        b'{"say": "entries", "entries": [{"name": "a", "kind": "file", "mode": 2541}]}',
        b'{"say": "entries", "entries": [{"name": "a", "kind": "file", "size": -1}]}',
    ],
)
def test_decode_when_a_value_is_wrong_refuses_it(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(body)


def test_content_header_when_decoded_is_the_length() -> None:
    assert decode_header(content_header(CONTENT_MAX)) == (Type.CONTENT, CONTENT_MAX)
    with pytest.raises(ProtocolError):
        decode_header(content_header(CONTENT_MAX + 1))

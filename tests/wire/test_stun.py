"""STUN on the wire: our messages pinned, RFC 5769's read, anything else refused in order."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.protocol import stun
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.errors import ProtocolError

GOLDEN = Path(__file__).parent / "stun"
ID = bytes(range(12))
SESSION = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
TOKEN = "6423b1c2d3e00.AAECAwQFBgcICQoLDA0ODw"
V4, V6 = Endpoint("198.51.100.2", 30734), Endpoint("2001:db8:a1::2", 30735)
MESSAGES = {
    "request": stun.encode_binding_request(ID, None),
    "request_session": stun.encode_binding_request(ID, SESSION),
    "success_v4": stun.encode_binding_success(ID, V4, None),
    "success_v4_token": stun.encode_binding_success(ID, V4, TOKEN),
    "success_v6_token": stun.encode_binding_success(ID, V6, TOKEN),
    "error_420": stun.encode_binding_error(ID, 420, "Unknown Attribute", (0x0003, 0x7FFF)),
    "error_500": stun.encode_binding_error(ID, 500, "the reflector is full: try again later"),
}
READ = {
    "request": stun.StunMessage("request", ID),
    "request_session": stun.StunMessage("request", ID, session=SESSION),
    "success_v4": stun.StunMessage("success", ID, V4),
    "success_v4_token": stun.StunMessage("success", ID, V4, TOKEN),
    "success_v6_token": stun.StunMessage("success", ID, V6, TOKEN),
    "error_420": stun.StunMessage("error", ID, error_code=420, error_reason="Unknown Attribute"),
    "error_500": stun.StunMessage(
        "error", ID, error_code=500, error_reason="the reflector is full: try again later"
    ),
}
# RFC 5769 §2.2 and §2.3: responses of another implementation, with SOFTWARE,
# MESSAGE-INTEGRITY and FINGERPRINT.
RFC_5769_ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
RFC_5769_V4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RFC_5769_V6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_the_golden_one_and_reads_back(name: str) -> None:
    assert MESSAGES[name].hex(" ", 4) + "\n" == (GOLDEN / f"{name}.hex").read_text()
    assert stun.frame_length(MESSAGES[name][:20]) == len(MESSAGES[name])
    assert stun.decode(MESSAGES[name]) == READ[name]


@pytest.mark.parametrize(
    ("data", "mapped"),
    [
        (RFC_5769_V4, Endpoint("192.0.2.1", 32853)),
        (RFC_5769_V6, Endpoint("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_answer_of_another_server_gives_the_mapping(data: bytes, mapped: Endpoint) -> None:
    assert stun.decode(data) == stun.StunMessage("success", RFC_5769_ID, mapped)


def test_fingerprint_that_does_not_match_is_refused() -> None:
    with pytest.raises(ProtocolError, match="FINGERPRINT"):
        stun.decode(RFC_5769_V4[:-1] + b"\x00")


def with_attributes(message_type: int, *attributes: tuple[int, bytes]) -> bytes:
    body = b"".join(
        struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
        for kind, value in attributes
    )
    return struct.pack("!HHI", message_type, len(body), 0x2112A442) + ID + body


MAPPED = (0x0001, b"\x00\x01" + (30734).to_bytes(2) + bytes([198, 51, 100, 2]))


def test_answer_without_xor_is_read_too() -> None:
    assert stun.decode(with_attributes(0x0101, MAPPED)).mapped == V4


def test_unknown_attributes_of_a_request_are_named_where_they_must_be_understood() -> None:
    request = with_attributes(0x0001, (0x7FFF, b""), (0x0003, b"\0\0\0\6"), (0xC123, b"x"))
    assert stun.decode(request).unknown == (0x0003, 0x7FFF)


def test_unknown_attribute_of_an_answer_that_must_be_understood_is_refused() -> None:
    with pytest.raises(ProtocolError, match="0x7fff"):
        stun.decode(with_attributes(0x0101, MAPPED, (0x7FFF, b"")))


def test_authentication_of_a_request_is_understood_and_ignored() -> None:
    request = with_attributes(
        0x0001, (0x0006, b"user"), (0x0008, bytes(20)), (0x7FFF, b""), (0xC0D0, b"late")
    )
    assert stun.decode(request) == stun.StunMessage("request", ID)


def test_first_of_two_equal_attributes_counts() -> None:
    request = with_attributes(0x0001, (0xC0D0, b"first"), (0xC0D0, b"second"))
    assert stun.decode(request).session == "first"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        MESSAGES["request"][:19],
        MESSAGES["request_session"][:-4],
        MESSAGES["request"] + bytes(4),
        with_attributes(0x0101),
        with_attributes(0x0111),
        with_attributes(0x0011),
        with_attributes(0x0003),
        with_attributes(0x0101, (0x0020, b"\x00\x03" + bytes(6))),
        with_attributes(0x0101, (0x0001, b"\x00\x01\x00\x00" + bytes(4))),
        with_attributes(0x0111, (0x0009, b"\x00\x00\x07\x00")),
        with_attributes(0x0001, (0xC0D0, b"two words")),
        with_attributes(0x0001, (0xC0D0, b"x" * 129)),
        with_attributes(0x0001)[:2] + b"\x00\x04" + with_attributes(0x0001)[4:] + b"\xc0\xd0\0\5",
    ],
)
def test_what_breaks_the_format_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        stun.decode(data)


def test_frame_longer_than_a_kibibyte_is_refused() -> None:
    header = struct.pack("!HHI", 1, 1004, 0x2112A442) + ID
    assert stun.frame_length(header) == 1024
    with pytest.raises(ProtocolError):
        stun.frame_length(struct.pack("!HHI", 1, 1008, 0x2112A442) + ID)


def test_attribute_after_the_fingerprint_is_refused() -> None:
    data = with_attributes(0x0001, (0x8028, bytes(4)), (0xC0D0, b"late"))
    crc = zlib.crc32(data[:20]) ^ 0x5354554E
    data = data.replace(b"\x80\x28\x00\x04" + bytes(4), b"\x80\x28\x00\x04" + crc.to_bytes(4))
    with pytest.raises(ProtocolError, match="last"):
        stun.decode(data)


ids = st.binary(min_size=12, max_size=12)
texts = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)
endpoints = st.builds(
    lambda ip, port: Endpoint.of(str(ip), port), st.ip_addresses(), st.integers(1, 65535)
)


@given(ids, st.none() | texts)
def test_any_request_round_trips(transaction_id: bytes, session: str | None) -> None:
    message = stun.decode(stun.encode_binding_request(transaction_id, session))
    assert message == stun.StunMessage("request", transaction_id, session=session)


@given(ids, endpoints, st.none() | texts)
def test_any_success_round_trips(
    transaction_id: bytes, mapped: Endpoint, token: str | None
) -> None:
    message = stun.decode(stun.encode_binding_success(transaction_id, mapped, token))
    assert message == stun.StunMessage("success", transaction_id, mapped, token)


@given(ids, st.integers(300, 699), st.text(max_size=31))
def test_any_error_round_trips(transaction_id: bytes, code: int, reason: str) -> None:
    message = stun.decode(stun.encode_binding_error(transaction_id, code, reason))
    assert (message.kind, message.error_code, message.error_reason) == ("error", code, reason)


def reads_or_refuses(data: bytes) -> None:
    for read in (stun.decode, stun.frame_length):
        try:
            read(data)
        except ProtocolError:
            continue


@given(st.binary(max_size=200))
def test_any_bytes_raise_only_protocol_errors(data: bytes) -> None:
    reads_or_refuses(data)


@given(
    st.sampled_from([0x0001, 0x0101, 0x0111]),
    st.lists(
        st.tuples(
            st.sampled_from([0x01, 0x20, 0x09, 0x0A, 0x08, 0x8028, 0xC0D0, 0xC0D1, 0x7FFF]),
            st.binary(max_size=24),
        ),
        max_size=6,
    ),
)
def test_any_attributes_raise_only_protocol_errors(
    message_type: int, attributes: list[tuple[int, bytes]]
) -> None:
    reads_or_refuses(with_attributes(message_type, *attributes))


@given(
    st.sampled_from(sorted(MESSAGES)), st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)))
)
def test_any_change_of_a_message_raises_only_protocol_errors(
    name: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(MESSAGES[name])
    for place, octet in changes:
        data[place % len(data)] = octet
    reads_or_refuses(bytes(data))

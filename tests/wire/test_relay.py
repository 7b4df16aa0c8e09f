"""The relay's header and answers on the wire: pinned, and anything else refused in order."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.protocol import relay
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.relay import RelayHeader, Status
from rendezvous.tokens import Tokens

GOLDEN = Path(__file__).parent / "relay"
SESSION = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
EXPIRY_US = 1_763_700_000_000_000
TOKENS = Tokens(b"a key of 32 octets, for the test")
HEADERS = {
    "header_a": TOKENS.mint_ticket(SESSION, "a", EXPIRY_US),
    "header_b": TOKENS.mint_ticket(SESSION, "b", EXPIRY_US),
}


@pytest.mark.parametrize("name", HEADERS)
def test_header_when_encoded_is_the_golden_one(name: str) -> None:
    golden = bytes.fromhex((GOLDEN / f"{name}.hex").read_text())
    assert relay.encode(HEADERS[name]) == golden
    assert relay.decode(golden) == HEADERS[name]
    assert relay.decode_ticket(relay.encode_ticket(HEADERS[name])) == golden


def test_every_golden_file_is_tested() -> None:
    assert {path.stem for path in GOLDEN.glob("*.hex")} == set(HEADERS)


@given(
    st.builds(
        RelayHeader,
        st.binary(min_size=16, max_size=16).map(bytes.hex),
        st.sampled_from(["a", "b"]),
        st.integers(0, 2**64 - 1),
        st.binary(min_size=16, max_size=16),
    )
)
def test_header_when_decoded_again_is_the_same(header: RelayHeader) -> None:
    assert relay.decode(relay.encode(header)) == header


@given(st.binary(max_size=2 * relay.HEADER_OCTETS))
def test_arbitrary_bytes_raise_only_protocol_errors(data: bytes) -> None:
    with suppress(ProtocolError):
        relay.decode(data)


@pytest.mark.parametrize(
    ("position", "octet"), [(0, 0x4D), (6, 2), (7, 0x63)], ids=["magic", "version", "seat"]
)
def test_header_when_changed_is_refused(position: int, octet: int) -> None:
    data = bytearray(relay.encode(HEADERS["header_a"]))
    data[position] = octet
    with pytest.raises(ProtocolError):
        relay.decode(bytes(data))


def test_status_has_the_octets_that_the_contract_names() -> None:
    assert [(relay.decode_status(status).name, status.value) for status in Status] == [
        ("WAITING", 0x01),
        ("GO", 0x02),
        ("MALFORMED", 0x81),
        ("FORBIDDEN", 0x82),
        ("EXPIRED", 0x83),
        ("TAKEN", 0x84),
        ("FULL", 0x85),
        ("ALONE", 0x86),
        ("GOING_AWAY", 0x87),
        ("TOO_MANY", 0x88),
    ]


@pytest.mark.parametrize("octet", [0x00, 0x03, 0x80, 0x89, 0xFF])
def test_status_when_unknown_is_refused(octet: int) -> None:
    with pytest.raises(ProtocolError):
        relay.decode_status(octet)


@pytest.mark.parametrize(
    "changed",
    [
        {"session": "f" + SESSION[1:]},
        {"seat": "b"},
        {"expiry_us": EXPIRY_US + 1},
        {"mac": bytes(16)},
    ],
    ids=["session", "seat", "expiry", "mac"],
)
def test_ticket_when_anything_is_changed_does_not_admit(changed: dict[str, object]) -> None:
    ticket = HEADERS["header_a"]
    fields = {name: getattr(ticket, name) for name in ticket.__slots__} | changed
    assert TOKENS.admits(ticket)
    assert not TOKENS.admits(RelayHeader(**fields))


def test_ticket_of_another_key_does_not_admit() -> None:
    assert not Tokens().admits(HEADERS["header_a"])

"""What two peers say to each other before the stream, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

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
from peer.core.proof import Place, make_proof

GOLDEN = Path(__file__).parent / "greeting"
PLACE = Place(bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0"), attempt=1, pair=2)
NONCE_I, NONCE_R = bytes(range(32)), bytes(range(32, 64))
KEY = bytes.fromhex("ec83cb8cf1cf4e9b3f343b08dfee5cd3b17f0997c93b97c9588ebe8f861c5989")
"""``race`` of the vector in docs/protocol.md."""
MESSAGES: dict[str, Greeting] = {
    "hello_initiator": Hello(PLACE, NONCE_I),
    "hello_responder": Hello(PLACE, NONCE_R),
    "proof_initiator": Proof(make_proof(KEY, "initiator", PLACE, NONCE_I, NONCE_R)),
    "proof_responder": Proof(make_proof(KEY, "responder", PLACE, NONCE_R, NONCE_I)),
    "select": Select(
        Facts(
            winner_shots=1,
            shots=4,
            refusals=0,
            bound_us=850,
            first_us=1_700_000_000_000_000,
            instant_error_us=31,
        )
    ),
    "selected": Selected(
        Facts(
            winner_shots=7,
            shots=29,
            refusals=25,
            bound_us=20_300,
            first_us=1_699_999_999_990_000,
            instant_error_us=-3,
        )
    ),
}


def golden(name: str) -> bytes:
    return bytes.fromhex((GOLDEN / f"{name}.hex").read_text())


@pytest.mark.parametrize("name", MESSAGES)
def test_encode_when_compared_is_the_golden_file(name: str) -> None:
    assert encode(MESSAGES[name]) == golden(name)


@pytest.mark.parametrize("name", MESSAGES)
def test_decode_when_given_the_golden_file_reads_the_message(name: str) -> None:
    decoder = GreetingDecoder()
    decoder.feed(golden(name))

    assert decoder.next() == MESSAGES[name]
    assert decoder.next() is None


def test_golden_files_when_listed_are_all_tested() -> None:
    assert {path.stem for path in GOLDEN.glob("*.hex")} == set(MESSAGES)

"""What sender and receiver of files say to each other, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from peer.core.transfer.messages import (
    HEADER,
    Accepted,
    Begin,
    Complete,
    Entries,
    Entry,
    Having,
    Message,
    Offered,
    Part,
    Stopped,
    Stored,
    Type,
    decode,
    decode_header,
    encode,
)

GOLDEN = Path(__file__).parent / "transfer"
SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
TIME_NS = 1_700_000_000_123_456_789
MESSAGES: dict[str, Message] = {
    "entries": Entries(
        (
            Entry("photos", "folder", 0, 0o755, TIME_NS),
            Entry("photos/a.jpg", "file", 3, 0o644, TIME_NS),
        )
    ),
    "offered": Offered(1, 1, 3),
    "having": Having((Part(0, 3, SHA256),)),
    "accepted": Accepted(),
    "begin": Begin(0, 3),
    "complete": Complete(SHA256),
    "stored": Stored(0),
    "stopped": Stopped("the files were declined"),
}


def golden(name: str) -> bytes:
    return bytes.fromhex((GOLDEN / f"{name}.hex").read_text())


@pytest.mark.parametrize("name", MESSAGES)
def test_encode_when_compared_is_the_golden_file(name: str) -> None:
    assert encode(MESSAGES[name]) == golden(name)


@pytest.mark.parametrize("name", MESSAGES)
def test_decode_when_given_the_golden_file_reads_the_message(name: str) -> None:
    frame = golden(name)

    assert decode_header(frame[: HEADER.size]) == (Type.MESSAGE, len(frame) - HEADER.size)
    assert decode(frame[HEADER.size :]) == MESSAGES[name]


def test_golden_files_when_listed_are_all_tested() -> None:
    assert {path.stem for path in GOLDEN.glob("*.hex")} == set(MESSAGES)

"""What both sides say first in the stream, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from peer.core.offer import LENGTH, PIPE, Offer, Side, Use, body_length, decode, encode

GOLDEN = Path(__file__).parent / "offer"
OFFERS = {
    "pipe": PIPE,
    "forward_gives": Offer(Use.FORWARD, Side.GIVES),
    "forward_takes": Offer(Use.FORWARD, Side.TAKES),
    "files_gives": Offer(Use.FILES, Side.GIVES),
    "files_takes": Offer(Use.FILES, Side.TAKES),
}


def golden(name: str) -> bytes:
    return bytes.fromhex((GOLDEN / f"{name}.hex").read_text())


@pytest.mark.parametrize("name", OFFERS)
def test_offer_when_encoded_and_decoded_is_the_golden_file(name: str) -> None:
    said = golden(name)

    assert encode(OFFERS[name]) == said
    assert body_length(said[: LENGTH.size]) == len(said) - LENGTH.size
    assert decode(said[LENGTH.size :]) == OFFERS[name]


def test_golden_files_when_listed_are_all_tested() -> None:
    assert {path.stem for path in GOLDEN.glob("*.hex")} == set(OFFERS)

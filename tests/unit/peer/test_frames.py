"""Frames: every wire form, round trips under any chunking, and nothing else gets through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core import frames
from peer.core.frames import DATA_SEND_MAX, Abort, Credit, Data, Decoder, End, EndAck, Frame
from rendezvous.protocol.errors import ProtocolError

GOLDEN = Path(__file__).parents[2] / "wire" / "frames"
CASES: dict[str, Frame] = {
    "data": Data(b"I love you."),
    "end": End(11),
    "end_ack": EndAck(),
    "abort": Abort("standard output: Broken pipe"),
    "credit": Credit(5 * 1024 * 1024),
}

U64 = st.integers(0, 2**64 - 1)
FRAMES = st.one_of(
    st.binary(min_size=1, max_size=300).map(Data),
    U64.map(End),
    U64.map(Credit),
    st.just(EndAck()),
    st.text(max_size=300).map(frames.abort),
)


def merged(sequence: Iterable[Frame]) -> list[Frame]:
    """Join neighbouring DATA: where one ends and the next begins means nothing."""
    out: list[Frame] = []
    for frame in sequence:
        if isinstance(frame, Data) and out and isinstance(last := out[-1], Data):
            out[-1] = Data(bytes(last.payload) + frame.payload)
        else:
            out.append(frame)
    return out


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut bytes into chunks of these sizes, and the rest."""
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [*chunks, data]


def test_golden_files_are_exactly_the_cases() -> None:
    assert {path.stem for path in GOLDEN.glob("*.hex")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_encode_when_golden_gives_these_bytes(name: str) -> None:
    golden = bytes.fromhex((GOLDEN / f"{name}.hex").read_text())
    assert frames.encode(CASES[name]) == golden
    assert Decoder().feed(golden) == [CASES[name]]


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 40), max_size=40))
def test_decode_when_cut_anywhere_gives_the_same(sent: list[Frame], sizes: list[int]) -> None:
    decoder = Decoder()
    wire = b"".join(map(frames.encode, sent))
    got = [frame for chunk in cut(wire, sizes) for frame in decoder.feed(chunk)]
    assert merged(got) == merged(sent)
    assert decoder.idle


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_decode_when_arbitrary_raises_only_protocol_error(chunks: list[bytes]) -> None:
    decoder = Decoder()
    try:
        for chunk in chunks:
            decoder.feed(chunk)
    except ProtocolError:
        pass


def test_decode_when_data_is_cut_hands_on_each_piece_at_once() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x01\x00\x00\x00\x05he") == [Data(b"he")]
    assert not decoder.idle
    assert decoder.feed(b"llo") == [Data(b"llo")]
    assert decoder.idle


def test_decode_when_data_is_a_mebibyte_accepts_it() -> None:
    assert Decoder().feed(b"\x01\x00\x10\x00\x00") == []


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param("00 00000000", id="no such type"),
        pytest.param("06 00000000", id="no such type either"),
        pytest.param("01 00000000", id="empty DATA"),
        pytest.param("01 00100001", id="DATA over a mebibyte"),
        pytest.param("02 00000007", id="END of seven bytes"),
        pytest.param("03 00000001", id="END_ACK with a payload"),
        pytest.param("04 000000c9", id="ABORT of 201 bytes"),
        pytest.param("04 00000001 ff", id="ABORT not UTF-8"),
        pytest.param("04 00000001 1b", id="ABORT with an escape character"),
        pytest.param("05 00000009", id="CREDIT of nine bytes"),
    ],
)
def test_decode_when_not_a_frame_raises(wire: str) -> None:
    decoder = Decoder()
    data = bytes.fromhex(wire)
    with pytest.raises(ProtocolError):
        decoder.feed(data)


@pytest.mark.parametrize(
    "frame",
    [
        Data(b""),
        Data(bytes(DATA_SEND_MAX + 1)),
        End(-1),
        Credit(2**64),
        Abort("a\nb"),
        Abort("é" * 101),
    ],
)
def test_encode_when_out_of_range_raises(frame: Frame) -> None:
    with pytest.raises(ProtocolError):
        frames.encode(frame)


def test_abort_when_text_is_long_and_unprintable_makes_one_line_that_fits() -> None:
    assert frames.abort("a\x1b[2J\nb") == Abort("a?[2J?b")
    assert frames.abort("x" + "é" * 150) == Abort("x" + "é" * 99)

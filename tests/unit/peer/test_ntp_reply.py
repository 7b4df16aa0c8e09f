"""What of an NTP answer is believed, and its codec."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.ntp_reply import MAX_DISTANCE_NS, Reply, refusal, utc_ns
from peer.io.ntp_packet import decode_reply, encode_request

OURS = 0x0123_4567_89AB_CDEF
T = 0xE900_0000_0000_0000
GOOD = Reply(
    leap=0,
    mode=4,
    stratum=2,
    precision=-20,
    root_delay_ns=10_000_000,
    root_dispersion_ns=1_000_000,
    reference=b"\xc0\x00\x02\x15",
    origin=OURS,
    received=T,
    sent=T + 1000,
)


def test_refusal_when_the_answer_is_sound_is_none() -> None:
    assert refusal(GOOD, {OURS, 5}) is None
    assert refusal(replace(GOOD, sent=GOOD.received), {OURS}) is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (replace(GOOD, origin=OURS + 1), "answer to a request that was not made"),
        (replace(GOOD, mode=3), "not a server's answer (mode 3)"),
        (replace(GOOD, stratum=0, leap=3, reference=b"RATE"), "kiss-o'-death RATE"),
        (replace(GOOD, stratum=0, reference=b"\xffX\0\0"), r"kiss-o'-death \xffX"),
        (
            replace(GOOD, stratum=0, reference=bytes(4)),
            "the server's own clock is not synchronised",
        ),
        (replace(GOOD, leap=3), "the server's own clock is not synchronised"),
        (replace(GOOD, stratum=16), "the server's own clock is not synchronised"),
        (
            replace(GOOD, root_dispersion_ns=MAX_DISTANCE_NS),
            "the server's own clock may be 1.5 s wrong",
        ),
        (replace(GOOD, precision=127), None),
        (replace(GOOD, received=0), "no timestamps"),
        (replace(GOOD, sent=GOOD.received - 1000), "sent before the request was received"),
    ],
)
def test_refusal_when_something_is_wrong_names_it(wrong: Reply, words: str | None) -> None:
    reason = refusal(wrong, {OURS})
    assert reason is not None
    assert words is None or reason == words


def test_root_distance_is_half_the_delay_the_dispersion_and_the_precision() -> None:
    assert GOOD.root_distance_ns == 5_000_001 + 1_000_000 + 954


def test_utc_ns_of_known_timestamps() -> None:
    assert utc_ns(2_208_988_800 << 32) == 0
    assert utc_ns((2_208_988_800 + 1_700_000_000) << 32 | 1 << 31) == 1_700_000_000_500_000_000
    # RFC 4330 §3: the second era began on 7 February 2036 at 06:28:16 UTC.
    assert utc_ns(0) == 2_085_978_496 * 10**9


@given(st.integers(1, 2**64 - 1))
def test_encode_request_carries_every_bit_of_the_origin(origin: int) -> None:
    data = encode_request(origin)
    assert data == b"\x23" + bytes(39) + origin.to_bytes(8, "big")


@given(
    st.tuples(st.integers(0, 3), st.integers(0, 7), st.integers(0, 255), st.integers(-128, 127)),
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    st.binary(min_size=4, max_size=4),
    st.tuples(*[st.integers(0, 2**64 - 1)] * 3),
    st.binary(max_size=40),
)
def test_decode_reply_reads_every_field_exactly(
    head: tuple[int, int, int, int],
    root: tuple[int, int],
    reference: bytes,
    stamps: tuple[int, ...],
    extension: bytes,
) -> None:
    leap, mode, stratum, precision = head
    data = struct.pack(
        "!BBbbII4s8x3Q", leap << 6 | 4 << 3 | mode, stratum, 6, precision, *root, reference, *stamps
    )
    reply = decode_reply(data + extension)
    delay, dispersion = (-(-each * 10**9 // 2**16) for each in root)
    assert reply == Reply(leap, mode, stratum, precision, delay, dispersion, reference, *stamps)
    assert isinstance(refusal(reply, {OURS}), str | None)


@given(st.binary(max_size=47))
def test_decode_reply_when_it_is_too_short_raises(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an NTP packet"):
        decode_reply(data)

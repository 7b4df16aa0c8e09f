"""Two ends of many streams over a link of lists: what is said, what waits, what is refused."""

from __future__ import annotations

import contextlib

import pytest
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from peer.core.mux import CONNECTION_WINDOW, DEFAULT, FRAME_MAX, POOL, STREAMS, WINDOW, MuxMachine
from peer.core.mux_events import (
    Accepted,
    Arrived,
    Asked,
    Ended,
    MoreRoom,
    MuxEvent,
    Refused,
    WasReset,
)
from rendezvous.protocol.errors import ProtocolError


class Link:
    """Both machines, and what they were told."""

    def __init__(self) -> None:
        self.near = MuxMachine(opens=True)
        self.far = MuxMachine(opens=False)
        self.pump()

    def pump(self) -> tuple[list[MuxEvent], list[MuxEvent]]:
        """Carry bytes until there are none; returns what each side was told."""
        told: tuple[list[MuxEvent], list[MuxEvent]] = ([], [])
        while True:
            out, back = self.near.take_outgoing(), self.far.take_outgoing()
            if not out and not back:
                return told
            told[1].extend(e for e in self.far.receive(out) if not isinstance(e, MoreRoom))
            told[0].extend(e for e in self.near.receive(back) if not isinstance(e, MoreRoom))

    def opened(self) -> int:
        """Open a stream, accepted."""
        stream = self.near.open(DEFAULT)
        self.pump()
        self.far.accept(stream)
        self.pump()
        return stream


def fill(machine: MuxMachine, stream: int) -> int:
    """Send until the credit is used up; returns how much that was."""
    sent = 0
    while credit := machine.credit(stream):
        machine.send(stream, bytes(credit))
        sent += credit
    return sent


def test_open_when_the_partner_takes_few_waits_for_one_to_end() -> None:
    link = Link()
    link.far._h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    link.pump()
    stream = link.opened()
    assert not link.near.may_open
    link.near.reset(stream)
    link.pump()
    assert link.near.may_open


def test_open_when_refusals_are_not_completed_by_the_partner_goes_on() -> None:
    link = Link()
    for _ in range(2 * STREAMS):
        stream = link.near.open(DEFAULT)
        link.pump()
        # Without the RST_STREAM of RFC 9113 section 8.1.
        link.far._h2.send_headers(stream, [(b":status", b"403")], end_stream=True)
        link.far._forget(stream)
        assert Refused(stream, "no reason given") in link.pump()[0]


def test_refuse_with_a_long_reason_is_cut_between_characters() -> None:
    link = Link()
    stream = link.near.open(DEFAULT)
    link.pump()
    link.far.refuse(stream, "ä " * 400, forbidden=True)
    ((told,), _) = link.pump()
    assert isinstance(told, Refused)
    assert told.reason.startswith("ä ä")


def test_open_when_accepted_tells_both_sides() -> None:
    link = Link()
    stream = link.near.open("db.example:5432")
    assert link.pump() == ([], [Asked(stream, "db.example:5432")])
    link.far.accept(stream)
    assert link.pump() == ([Accepted(stream)], [])


@pytest.mark.parametrize("forbidden", [True, False])
def test_open_when_refused_says_why_and_leaves_room(forbidden: bool) -> None:
    link = Link()
    for _ in range(2 * STREAMS):
        stream = link.near.open("a:1")
        link.pump()
        link.far.refuse(stream, "connection refused", forbidden=forbidden)
        assert link.pump()[0] == [Refused(stream, "connection refused")]


def test_open_before_the_partner_has_spoken_must_wait() -> None:
    machine = MuxMachine(opens=True)
    assert not machine.may_open
    with pytest.raises(ValueError, match="no stream"):
        machine.open(DEFAULT)


def test_open_when_all_streams_are_taken_waits_for_one_to_end() -> None:
    link = Link()
    streams = [link.opened() for _ in range(STREAMS)]
    assert not link.near.may_open
    link.near.end(streams[7])
    link.far.end(streams[7])
    link.pump()
    assert link.near.may_open
    assert link.opened() > streams[-1]


def test_directions_end_each_on_its_own() -> None:
    link = Link()
    stream = link.opened()
    link.near.send(stream, b"question")
    link.near.end(stream)
    assert link.pump()[1] == [Arrived(stream, b"question"), Ended(stream)]
    link.far.send(stream, b"answer")
    assert link.pump()[0] == [Arrived(stream, b"answer")]
    link.far.end(stream)
    assert link.pump()[0] == [Ended(stream)]
    assert link.near.credit(stream) == link.far.credit(stream) == 0


def test_reset_is_told_and_what_still_comes_is_dropped() -> None:
    link = Link()
    stream = link.opened()
    link.far.send(stream, b"on the way")
    link.near.reset(stream)
    assert link.pump() == ([], [WasReset(stream)])
    link.far.reset(stream)
    link.far.end(stream)
    link.near.end(stream)
    assert link.pump() == ([], [])


def test_credit_when_nobody_consumes_ends_at_the_window_of_each_stream() -> None:
    link = Link()
    streams = [link.opened() for _ in range(STREAMS)]
    for stream in streams:
        assert fill(link.near, stream) == WINDOW
        link.pump()
    assert STREAMS * WINDOW + POOL == CONNECTION_WINDOW


def test_credit_when_one_consumes_and_the_others_do_not_flows_for_that_one() -> None:
    link = Link()
    slow = [link.opened() for _ in range(STREAMS - 1)]
    fast = link.opened()
    for stream in slow:
        fill(link.near, stream)
    moved = 0
    while moved < 4 * CONNECTION_WINDOW:
        moved += fill(link.near, fast)
        for event in link.pump()[1]:
            if isinstance(event, Arrived) and event.stream == fast:
                link.far.consumed(fast, len(event.data))
        link.pump()
        assert link.near.credit(fast) > 0


def test_consumed_when_the_stream_is_over_still_frees_the_connection() -> None:
    link = Link()
    for _ in range(2 * CONNECTION_WINDOW // WINDOW):
        stream = link.opened()
        assert fill(link.near, stream) == WINDOW
        events = link.pump()[1]
        link.near.reset(stream)
        link.pump()
        for event in events:
            if isinstance(event, Arrived):
                link.far.consumed(stream, len(event.data))
        link.pump()


def test_frame_when_beyond_the_most_is_a_protocol_error() -> None:
    link = Link()
    stream = link.opened()
    header = (FRAME_MAX + 1).to_bytes(3) + b"\0\0" + stream.to_bytes(4)
    with pytest.raises(ProtocolError, match="multiplexing"):
        link.far.receive(header + bytes(FRAME_MAX + 1))


@given(st.binary(max_size=400), st.booleans())
def test_receive_garbage_raises_only_protocol_errors(data: bytes, opens: bool) -> None:
    with contextlib.suppress(ProtocolError):
        MuxMachine(opens=opens).receive(data)


@given(
    st.integers(0, 9),
    st.integers(0, 255),
    st.integers(0, 4),
    st.binary(max_size=80),
    st.booleans(),
)
def test_receive_frames_of_any_kind_raises_only_protocol_errors(
    kind: int, flags: int, stream: int, body: bytes, to_opener: bool
) -> None:
    link = Link()
    link.opened()
    head = len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4)
    with contextlib.suppress(ProtocolError):
        (link.near if to_opener else link.far).receive(head + body)


@given(st.data())
def test_receive_one_changed_byte_raises_only_protocol_errors(data: st.DataObject) -> None:
    link = Link()
    stream = link.opened()
    link.near.open("db.example:5432")
    link.near.send(stream, b"some bytes")
    link.near.end(stream)
    wire = bytearray(link.near.take_outgoing())
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ProtocolError):
        link.far.receive(bytes(wire))


def consume(link: Link, stream: int, most: int) -> int:
    """Carry what one stream may send, to a consumer that takes all; returns how much that was."""
    moved = 0
    while moved < most:
        moved += fill(link.near, stream)
        for event in link.pump()[1]:
            if isinstance(event, Arrived):
                link.far.consumed(event.stream, len(event.data))
        link.pump()
    return moved


def test_window_when_its_consumer_keeps_up_grows_by_the_pool_and_no_more() -> None:
    link = Link()
    first, second = link.opened(), link.opened()
    consume(link, first, 8 * POOL)
    # Less what was taken and not said yet: h2 says it when it is half of the window.
    assert POOL // 2 <= fill(link.near, first) <= WINDOW + POOL
    assert fill(link.near, second) == WINDOW


def test_pool_when_a_wide_stream_is_over_serves_the_next_one() -> None:
    link = Link()
    first = link.opened()
    consume(link, first, 8 * POOL)
    link.near.reset(first)
    link.pump()
    second = link.opened()
    consume(link, second, 8 * POOL)
    assert POOL // 2 <= fill(link.near, second) <= WINDOW + POOL

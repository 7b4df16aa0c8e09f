"""The rules of a stream: two machines over a fake link, and every rule broken once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.frames import Credit, Data, End, EndAck
from peer.core.stream_machine import CREDIT_STEP, RECEIVER, SENDER, WINDOW, State, StreamMachine
from rendezvous.protocol.errors import ProtocolError

KINDS = (Data, End, EndAck, Credit)


def ended(total: int = 0) -> StreamMachine:
    """Make a machine that has received END after these bytes."""
    machine = StreamMachine()
    if total:
        machine.take(Data(bytes(total)))
    machine.take(End(total))
    return machine


def test_ends_when_each_side_ends_and_delivers_settle_both() -> None:
    a, b = StreamMachine(), StreamMachine()
    a.send(2)
    b.take(Data(b"hi"))
    assert a.end() == End(2)
    b.take(End(2))
    assert b.settle() is None, "two bytes are not delivered yet"
    assert b.deliver(2) is None
    assert b.settle() == EndAck()
    a.take(EndAck())
    assert a.sender is State.SETTLED
    assert not a.settled
    assert not b.settled
    # Minutes later: the other direction.
    b.send(1)
    a.take(Data(b"!"))
    assert b.end() == End(1)
    a.take(End(1))
    a.deliver(1)
    assert a.settle() == EndAck()
    b.take(EndAck())
    assert a.settled
    assert b.settled


def test_end_when_repeated_says_nothing() -> None:
    machine = StreamMachine()
    assert machine.end() == End(0)
    assert machine.end() is None


def test_settle_when_repeated_says_nothing() -> None:
    machine = ended()
    assert machine.settle() == EndAck()
    assert machine.settle() is None


def test_send_when_ended_or_beyond_the_credit_raises() -> None:
    machine = StreamMachine()
    with pytest.raises(ValueError, match="credit"):
        machine.send(WINDOW + 1)
    machine.send(WINDOW)
    assert machine.credit == 0
    machine.end()
    with pytest.raises(ValueError, match="written already"):
        machine.send(1)


def test_credit_when_a_step_is_delivered_grants_it() -> None:
    a, b = StreamMachine(), StreamMachine()
    a.send(CREDIT_STEP)
    b.take(Data(bytes(CREDIT_STEP)))
    assert b.deliver(CREDIT_STEP - 1) is None
    grant = b.deliver(1)
    assert grant == Credit(CREDIT_STEP + WINDOW)
    a.take(grant)
    assert a.credit == WINDOW


def test_credit_when_the_end_has_come_is_not_sent() -> None:
    machine = ended(CREDIT_STEP)
    assert machine.deliver(CREDIT_STEP) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(1, WINDOW)), max_size=60))
def test_credit_when_any_reader_is_slow_bounds_what_waits(steps: list[tuple[bool, int]]) -> None:
    a, b = StreamMachine(), StreamMachine()
    for writes, size in steps:
        if writes and (length := min(size, a.credit)):
            a.send(length)
            b.take(Data(bytes(length)))
        elif not writes:
            grant = b.deliver(min(size, b.received - b.delivered))
            if grant is not None:
                a.take(grant)
        assert b.received - b.delivered <= WINDOW
        assert a.credit or b.received - b.delivered, "an empty buffer never stops the sender"


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", KINDS)
def test_take_when_the_table_lacks_it_raises(state: State, kind: type) -> None:
    machine = StreamMachine()
    machine.sent = 2 * CREDIT_STEP
    machine.sender = machine.receiver = state
    frames = (Data(b"x"), End(0), EndAck(), Credit(WINDOW + 1))
    frame = next(frame for frame in frames if type(frame) is kind)
    table = RECEIVER if kind in (Data, End) else SENDER
    if (state, kind) in table:
        machine.take(frame)
        assert (machine.receiver if kind in (Data, End) else machine.sender) == table[state, kind]
    else:
        with pytest.raises(ProtocolError, match=f"{kind.__name__} out of turn"):
            machine.take(frame)


@pytest.mark.parametrize("total", [0, 2, 2**64 - 1])
def test_end_when_its_total_differs_is_no_end(total: int) -> None:
    machine = StreamMachine()
    machine.take(Data(b"x"))
    with pytest.raises(ProtocolError, match="END after 1 bytes"):
        machine.take(End(total))
    assert machine.receiver is State.OPEN


@pytest.mark.parametrize("limit", [0, WINDOW, WINDOW + 11])
def test_credit_when_it_takes_back_or_exceeds_what_was_sent_raises(limit: int) -> None:
    machine = StreamMachine()
    machine.send(10)
    grant = Credit(limit)
    with pytest.raises(ProtocolError, match="CREDIT of"):
        machine.take(grant)


def test_data_when_it_exceeds_the_credit_raises() -> None:
    machine = StreamMachine()
    machine.take(Data(bytes(WINDOW)))
    with pytest.raises(ProtocolError, match="more DATA"):
        machine.take(Data(b"x"))

"""Who says what when: lists that are refused, and the two machines."""

from __future__ import annotations

import pytest

from peer.core.transfer import manifest as manifests
from peer.core.transfer.manifest import Manifest, batches
from peer.core.transfer.messages import (
    SIZE_MAX,
    Accepted,
    Begin,
    Complete,
    Entries,
    Entry,
    Having,
    Message,
    Offered,
    Part,
    Stored,
)
from peer.core.transfer.order import Receiving, Sending
from rendezvous.protocol.errors import ProtocolError

SHA = "0" * 64
FOLDER, INSIDE, TOP = Entry("d", "folder"), Entry("d/a", "file", 3), Entry("b", "file", 0)


def listed(*entries: Entry) -> Manifest:
    manifest = Manifest()
    manifest.add(entries)
    return manifest


@pytest.mark.parametrize(
    "entries",
    [
        (TOP, TOP),
        (FOLDER, FOLDER),
        (INSIDE,),
        (TOP, Entry("b/c", "file")),
        (FOLDER, Entry("d", "file")),
        (Entry("../x", "file"),),
        (Entry("x", "folder", 1),),
        (Entry("x", "file", SIZE_MAX), Entry("y", "file", 1)),
    ],
)
def test_manifest_when_names_clash_or_lead_out_refuses_them(entries: tuple[Entry, ...]) -> None:
    with pytest.raises(ProtocolError):
        listed(*entries)


def test_manifest_when_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "ENTRIES_MAX", 2)
    with pytest.raises(ProtocolError, match="more than 2"):
        listed(FOLDER, INSIDE, TOP)


def test_manifest_when_its_names_are_too_long_together_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manifests, "NAMES_MAX", 4)
    with pytest.raises(ProtocolError, match="too long together"):
        listed(FOLDER, INSIDE, TOP)


def test_check_when_totals_differ_refuses_them() -> None:
    listed(FOLDER, INSIDE, TOP).check(Offered(2, 1, 3))
    for wrong in (Offered(1, 1, 3), Offered(2, 0, 3), Offered(2, 1, 4)):
        with pytest.raises(ProtocolError):
            listed(FOLDER, INSIDE, TOP).check(wrong)
    with pytest.raises(ProtocolError, match="nothing"):
        Manifest().check(Offered(0, 0, 0))


def test_batches_when_joined_are_the_list() -> None:
    entries = [Entry(f"{n:0200}", "file") for n in range(1500)]
    messages = list(batches(entries))

    assert [entry for message in messages for entry in message.entries] == entries
    assert len(messages) > 1
    assert all(sum(len(e.name) for e in m.entries) < 2**17 for m in messages)


def receiving(*parts: Part) -> Receiving:
    order = Receiving()
    order.take(Entries((FOLDER, INSIDE, TOP)))
    order.take(Offered(2, 1, 3))
    order.parts = {part.file: part for part in parts}
    return order


def test_receiving_when_all_comes_in_order_is_done() -> None:
    order = receiving(Part(0, 2, SHA))
    order.take(Begin(0, 2))
    order.take_content(1)
    order.take(Complete(SHA))
    assert not order.done
    order.take(Begin(1, 0))
    order.take(Complete(SHA))
    assert order.done


@pytest.mark.parametrize(
    "message",
    [
        Entries((TOP,)),
        Offered(2, 1, 3),
        Complete(SHA),
        Accepted(),
        Stored(0),
        Having((Part(0, 1, SHA),)),
        Begin(1, 0),
        Begin(7, 0),
        Begin(0, 1),
        Begin(0, 3),
    ],
)
def test_receiving_when_out_of_turn_or_place_refuses_it(message: Message) -> None:
    with pytest.raises(ProtocolError):
        receiving(Part(0, 2, SHA)).take(message)


def test_receiving_when_content_is_too_much_or_too_little_refuses_it() -> None:
    order = receiving()
    with pytest.raises(ProtocolError, match="out of turn"):
        order.take_content(1)
    order.take(Begin(0, 0))
    with pytest.raises(ProtocolError, match="more bytes"):
        order.take_content(4)
    order.take_content(2)
    with pytest.raises(ProtocolError, match="1 bytes early"):
        order.take(Complete(SHA))


def sending() -> Sending:
    return Sending(listed(FOLDER, INSIDE, TOP))


def test_sending_when_everything_is_stored_is_done() -> None:
    order = sending()
    order.take(Having((Part(0, 3, SHA),)))
    order.take(Accepted())
    order.begun = 2
    order.take(Stored(0))
    assert not order.done
    order.take(Stored(1))
    assert order.done


@pytest.mark.parametrize(
    "message",
    [
        Stored(0),
        Begin(0, 0),
        Having((Part(0, 4, SHA),)),
        Having((Part(2, 0, SHA),)),
        Having((Part(0, 1, SHA), Part(0, 2, SHA))),
    ],
)
def test_sending_when_the_receiver_lies_refuses_it(message: Message) -> None:
    with pytest.raises(ProtocolError):
        sending().take(message)


def test_sending_when_stored_is_said_before_it_was_sent_refuses_it() -> None:
    order = sending()
    order.take(Accepted())
    with pytest.raises(ProtocolError):
        order.take(Stored(0))
    with pytest.raises(ProtocolError):
        order.take(Having((Part(0, 1, SHA),)))

"""Where the rendezvous is not there, or says no: the exit code, and the sentence that helps."""

from __future__ import annotations

import pytest

from peer.core.code import Code
from rendezvous.protocol.messages import Reason
from tests.loopback.faults.rendezvous.exchanges import edit
from tests.loopback.faults.rendezvous.relay import Kind, relay
from tests.loopback.faults.rendezvous.server import Server, carries_a_session
from tests.loopback.ports import free_ports
from tests.loopback.programs import Peer
from tests.loopback.seats import seat_of

NOWHERE = str(Code("999999999", bytes(2)))
MINE, NEWER = b'"version":1', b'"version":2'


@pytest.mark.parametrize("words", [("listen",), ("connect", NOWHERE)], ids=["listen", "connect"])
def test_rendezvous_when_it_is_down_exits_3_with_a_sentence(words: tuple[str, ...]) -> None:
    with Peer(*words, url=f"http://127.0.0.1:{free_ports(1)}") as peer:
        assert peer.finish() == (3, b"")
        assert "cannot be reached" in peer.said
        assert "that `midair-rendezvous` runs there" in peer.said


def test_nameplate_when_nobody_waits_there_exits_3_with_a_sentence(server: Server) -> None:
    with Peer("connect", NOWHERE, url=server.url) as peer:
        assert peer.finish() == (3, b"")
        assert "nobody waits under 999999999: mistyped, expired, or used already" in peer.said
        assert "Check the code, and that the other side is still waiting" in peer.said


async def test_third_peer_when_both_seats_are_taken_exits_3_and_harms_nobody(
    server: Server,
) -> None:
    with Peer("listen", "--json", url=server.url) as one:
        code = one.wait_for("code")["code"]
        second = await seat_of(server.url, code)
        with Peer("connect", code, url=server.url) as third:
            assert third.finish() == (3, b"")
            assert "both seats of this session are taken" in third.said
            assert "A code serves two peers" in third.said
        # Who was there first goes on: it hears what its partner does, not that somebody came.
        await second.leave(Reason.INTERRUPTED)
        await second.aclose()
        assert one.finish()[0] == 5
        assert one.events[-1]["verdict"] == "interrupted"
    carries_a_session(server.url)


@pytest.mark.parametrize(
    ("whose", "words"),
    [
        (0, "speaks protocol 1, this peer speaks 2: install midair"),
        (1, "the rendezvous speaks protocol version 2, this peer 1"),
    ],
    ids=["peer", "rendezvous"],
)
@pytest.mark.parametrize("kind", [Kind.OPEN, Kind.JOIN], ids=["listen", "connect"])
def test_version_when_the_other_side_s_is_newer_exits_3_and_says_what_to_install(
    server: Server, kind: Kind, whose: int, words: str
) -> None:
    with relay(server.port) as between, Peer("listen", "--json", url=server.url) as waiting:
        between.does(kind, edit(MINE, NEWER)[whose])
        code = waiting.wait_for("code")["code"]
        ours = ("listen",) if kind is Kind.OPEN else ("connect", code)
        with Peer(*ours, url=between.url) as peer:
            assert peer.finish() == (3, b"")
            assert words in peer.said
            assert "nstall" in peer.said.rpartition("midair:")[2]


def test_rendezvous_when_its_url_is_a_reflector_s_exits_3(
    server: Server,
) -> None:
    reflector = f"http://127.0.0.1:{server.reflectors[0]}"
    with Peer("listen", url=reflector) as peer:
        assert peer.finish() == (3, b"")
        assert "cannot be reached" in peer.said

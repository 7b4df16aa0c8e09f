"""The real programs over the relay: every byte, every limit, and every way to be told no."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback.programs import KEYS, Peer, finish_both, pair, rendezvous

ONLY, NEVER = {"MIDAIR_RELAY": "only"}, {"MIDAIR_RELAY": "never"}
AUTO = ("--json", "--relay", "auto")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as running:
        yield running


def failed(peer: Peer) -> tuple[str, str, int]:
    last = peer.events[-1]
    assert last["event"] == "failed", peer.events
    return last["verdict"], f"{last['message']}. {last['hint']}", last["exit"]


def events(peer: Peer, name: str) -> list[dict[str, object]]:
    return [one for one in peer.events if one["event"] == name]


def test_pipe_over_the_relay_carries_every_byte_both_ways(url: str) -> None:
    said, answered = os.urandom(3_000_000), os.urandom(5_000_000)
    # One side wants only a relay; the other one follows it.
    with pair(url, listen=("--json", "--relay", "only"), connect=AUTO) as (one, other):
        assert finish_both(one, other, said, answered) == ((0, answered), (0, said))
    for peer in (one, other):
        [relaying], [connected] = events(peer, "relaying"), events(peer, "connected")
        assert set(relaying) == {"event", "t_ms", *KEYS["relaying"].split()}
        assert (relaying["verdict"], relaying["octets"]) == ("", None)
        assert set(connected) == {"event", "t_ms", *KEYS["connected"].split()}
        assert (connected["path"], connected["first_shot"]) == ("relay", False)
        assert [connected["remote"]] == relaying["places"]
        assert str(connected["encrypted"]).startswith("TLSv1.3")
        assert not events(peer, "appointment"), "nobody fires"


def test_person_is_told_of_the_relay_and_its_limits() -> None:
    limits = ("--relay-octets", "50000000", "--relay-octets-per-s", "20000000")
    with rendezvous(*limits) as url, pair(url, env=ONLY, connect=()) as (one, other):
        assert finish_both(one, other) == ((0, b""), (0, b""))
    assert "going over the relay at 127.0.0.1:" in other.said
    assert "(at most 50.0 MB, at most 20.0 MB/s), which sees how much, not what" in other.said
    assert "midair: relay, " in other.said


def test_files_go_over_the_relay(url: str, tmp_path: Path) -> None:
    content = os.urandom(2_000_000)
    (tmp_path / "file").write_bytes(content)
    with Peer("send", str(tmp_path / "file"), "--json", url=url, env=ONLY) as one:
        code = one.wait_for("code")["code"]
        words = ("receive", code, "--yes", "--to", str(tmp_path / "inbox"), "--json")
        (tmp_path / "inbox").mkdir()
        with Peer(*words, url=url, env=ONLY) as other:
            assert [end[0] for end in finish_both(one, other)] == [0, 0]
    assert (tmp_path / "inbox" / "file").read_bytes() == content
    assert events(other, "connected")[0]["path"] == "relay"


def test_partner_that_is_killed_breaks_the_relayed_connection(url: str) -> None:
    with pair(url, env=ONLY) as (one, other):
        for peer in (one, other):
            peer.wait_for("connected")
        other.process.kill()
        assert one.finish()[0] == 1
    assert events(one, "failed")[0]["exit"] == 1


def test_pair_above_the_octets_of_the_operator_is_broken_and_told_of_them() -> None:
    with rendezvous("--relay-octets", "1000000") as url, pair(url, env=ONLY) as (one, other):
        (code, _), (_, received) = finish_both(one, other, os.urandom(3_000_000))
    assert code == 1
    assert len(received) < 1_000_000
    assert "at most 1.00 MB for a pair" in failed(one)[1]


def test_second_pair_where_one_is_allowed_is_told_so() -> None:
    with rendezvous("--relay-pairs", "1") as url, pair(url, env=ONLY) as (one, other):
        for peer in (one, other):
            peer.wait_for("connected")
        with pair(url, env=ONLY) as (third, fourth):
            assert [end[0] for end in finish_both(third, fourth)] == [5, 5]
        assert finish_both(one, other) == ((0, b""), (0, b""))
    told = [failed(peer) for peer in (third, fourth)]
    assert {verdict for verdict, _, _ in told} == {"no_relay"}
    assert any("as many pairs as its operator allows" in words for _, words, _ in told)


def test_relay_that_is_switched_off_is_missed_before_anybody_waits() -> None:
    with rendezvous("--no-relay") as url, Peer("listen", "--json", url=url, env=ONLY) as one:
        assert one.finish()[0] == 5
    assert failed(one)[0] == "no_relay"
    assert "this rendezvous has none" in failed(one)[1]


def test_peers_whose_wishes_exclude_each_other_are_both_told(url: str) -> None:
    listen, connect = ("--json", "--relay", "only"), ("--json", "--relay", "never")
    with pair(url, listen=listen, connect=connect) as (one, other):
        assert [end[0] for end in finish_both(one, other)] == [5, 5]
    # Whoever is first to see it leaves: the other one may see that first.
    assert "your partner wants no" in failed(one)[1]
    assert "you want none" in failed(other)[1]


def test_wrong_code_over_the_relay_is_exit_6_on_both_sides(url: str) -> None:
    with Peer("listen", "--json", url=url, env=ONLY) as one:
        nameplate = one.wait_for("code")["code"].partition("-")[0]
        with Peer("connect", f"{nameplate}-crossover-zulu", "--json", url=url, env=ONLY) as other:
            ends = finish_both(one, other, b"secret", b"secret")
    assert ends == ((6, b""), (6, b""))


def test_partner_that_is_stopped_at_the_relay_is_not_waited_for(url: str) -> None:
    with Peer("listen", "--json", url=url, env=ONLY) as one:
        code = one.wait_for("code")["code"]
        with Peer("connect", code, "--json", url=url, env=ONLY) as other:
            other.wait_for("relaying")
            other.process.terminate()
            assert other.finish()[0] == 130
            assert one.finish()[0] in (1, 5)
    assert events(one, "failed")


def test_peer_that_hears_nothing_of_relays_meets_as_ever(url: str) -> None:
    with pair(url, listen=AUTO, connect=AUTO) as (one, other):
        assert finish_both(one, other, b"hello", b"you") == ((0, b"you"), (0, b"hello"))
    # On loopback, with a processor each, the SYNs cross: a relay is not wanted then.
    assert [events(peer, "connected")[0]["path"] for peer in (one, other)] == ["direct"] * 2


def test_path_that_is_not_found_in_time_leads_to_the_relay_with_its_verdict(url: str) -> None:
    # Both sides fire long after they have given up: one at least is never met.
    late = {"MIDAIR_RELAY": "auto", "MIDAIR_TEST_SKEW_MS": "15000"}
    words = ("--json", "--timeout", "3")
    with pair(url, listen=words, connect=words, env=late) as (one, other):
        assert finish_both(one, other, b"hello", b"you") == ((0, b"you"), (0, b"hello"))
    for peer in (one, other):
        assert events(peer, "connected")[0]["path"] == "relay"
        assert events(peer, "relaying")[0]["verdict"] == "timeout"
        assert "no path" in str(events(peer, "relaying")[0]["message"])

"""A secret in place of a code: nothing to say to each other, in any order, again and again."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from peer.core.secret import Secret
from tests.loopback.programs import Peer, finish_both, rendezvous


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


@pytest.fixture
def secret() -> str:
    return str(Secret(secrets.token_bytes(16)))


def test_secret_when_the_listener_is_first_connects(url: str, secret: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{secret}\n")
    given = ("--secret-file", str(tmp_path / "secret"), "--json")
    with Peer("listen", *given, url=url) as one:
        one.wait_for("waiting")
        with Peer("connect", *given, url=url) as other:
            assert finish_both(one, other, b"x", b"y") == ((0, b"y"), (0, b"x"))
    assert "code" not in [event["event"] for event in one.events]
    assert secret not in one.said + other.said


def test_secret_when_the_listener_is_second_connects(url: str, secret: str) -> None:
    env = {"MIDAIR_SECRET": secret}
    with Peer("connect", "--json", url=url, env=env) as other:
        other.wait_for("waiting")
        with Peer("listen", "--json", url=url, env=env) as one:
            assert finish_both(one, other, b"x", b"y") == ((0, b"y"), (0, b"x"))


def test_secret_when_used_again_at_once_connects_again(url: str, secret: str) -> None:
    env = {"MIDAIR_SECRET": secret}
    for _ in range(2):
        with (
            Peer("listen", "--json", url=url, env=env) as one,
            Peer("connect", "--json", url=url, env=env) as other,
        ):
            assert finish_both(one, other, b"x", b"y") == ((0, b"y"), (0, b"x"))


def test_secret_when_it_is_another_meets_nobody(url: str, secret: str) -> None:
    with Peer("listen", "--json", url=url, env={"MIDAIR_SECRET": secret}) as one:
        one.wait_for("waiting")
        other_secret = str(Secret(secrets.token_bytes(16)))
        env = {"MIDAIR_SECRET": other_secret}
        with Peer("connect", "--json", "--timeout", "0.5", url=url, env=env) as other:
            assert other.finish() == (5, b"")
            assert "your partner did not come in time" in other.events[-1]["message"]
        one.process.send_signal(signal.SIGINT)
        assert one.finish()[0] == 130


def test_secret_when_a_second_listener_has_it_waits_for_the_first_to_be_served(
    url: str, secret: str
) -> None:
    env = {"MIDAIR_SECRET": secret}
    with Peer("listen", "--json", url=url, env=env) as first:
        first.wait_for("waiting")
        with Peer("listen", "--json", "--timeout", "1", url=url, env=env) as second:
            assert second.finish() == (5, b"")
            assert "your partner did not come in time" in second.events[-1]["message"]
        with Peer("connect", "--json", url=url, env=env) as other:
            assert finish_both(first, other, b"x", b"y") == ((0, b"y"), (0, b"x"))


def test_secret_when_files_are_sent_by_it_needs_no_code(
    url: str, secret: str, tmp_path: Path
) -> None:
    env, inbox = {"MIDAIR_SECRET": secret}, tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "letter").write_bytes(b"dear you")
    receiving = ("receive", "--yes", "--json", "--to", str(inbox))
    with (
        Peer("send", str(tmp_path / "letter"), "--json", url=url, env=env) as one,
        Peer(*receiving, url=url, env=env) as other,
    ):
        assert finish_both(one, other) == ((0, b""), (0, b""))
    assert (inbox / "letter").read_bytes() == b"dear you"


def test_secret_when_it_is_none_exits_2_and_is_not_shown(url: str) -> None:
    with Peer("listen", url=url, env={"MIDAIR_SECRET": "correct-horse-battery"}) as one:
        assert one.finish() == (2, b"")
        assert "a secret is 26 letters and digits" in one.said
        assert "correct-horse" not in one.said

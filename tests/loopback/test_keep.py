"""Listeners that stay: for one partner after another, and for one that was lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from peer.core.code import Code
from tests.loopback.ports import free_ports
from tests.loopback.programs import Peer, rendezvous
from tests.loopback.test_uses import ask, echoing

SECRET = {"MIDAIR_SECRET": "aaaqeayeaudaocajbifqydiob4"}
A_CODE = str(Code("4", b"ab"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with rendezvous() as where:
        yield where


def test_keep_without_a_secret_gives_each_partner_a_code_of_its_own(url: str) -> None:
    with (
        echoing() as target,
        Peer("listen", "--json", "--keep", "--forward", target, url=url) as one,
    ):
        codes = []
        for said in (b"first", b"second"):
            codes.append(one.wait_for("code")["code"])
            with Peer("connect", codes[-1], "--json", url=url) as other:
                assert other.finish(said) == (0, said)
        assert codes[0] != codes[1]
        one.wait_for("code")
        one.process.send_signal(signal.SIGINT)
        assert one.finish() == (130, b"")


def test_keep_when_a_partner_guesses_wrong_or_wants_something_else_goes_on(url: str) -> None:
    with (
        echoing() as target,
        Peer("listen", "--json", "--keep", "--forward", target, url=url) as one,
    ):
        code = Code.parse(one.wait_for("code")["code"])
        wrong = str(Code(code.nameplate, bytes(255 - octet for octet in code.secret)))
        with Peer("connect", wrong, "--json", url=url) as guesser:
            assert guesser.finish()[0] == 6
        assert "again in 1.00 s" in one.wait_for("warning")["message"]
        code = one.wait_for("code")["code"]
        with Peer("receive", code, "--json", "--yes", url=url) as other:
            assert other.finish()[0] == 2
        assert "midair receive" in one.wait_for("warning")["message"]
        with Peer("connect", one.wait_for("code")["code"], "--json", url=url) as other:
            assert other.finish(b"third") == (0, b"third")


def test_keep_on_both_sides_with_a_secret_finds_a_lost_partner_again(url: str) -> None:
    near = f"127.0.0.1:{free_ports()}"
    with echoing() as target:
        listen = ("listen", "--json", "--keep", "--forward", target)
        with Peer("connect", "--json", "--keep", "--bind", near, url=url, env=SECRET) as other:
            for said in (b"before", b"after"):
                with Peer(*listen, url=url, env=SECRET) as one:
                    other.wait_for("forwarding")
                    assert ask(near, said) == said
                    one.process.kill()
                other.wait_for("warning")
            other.process.send_signal(signal.SIGINT)
            assert other.finish() == (130, b"")


def test_listener_with_a_secret_serves_one_ssh_after_another(url: str) -> None:
    with (
        echoing() as target,
        Peer("listen", "--json", "--keep", "--forward", target, url=url, env=SECRET) as one,
    ):
        for said in (b"one", b"two", b"three"):
            with Peer("connect", "--json", url=url, env=SECRET) as other:
                assert other.finish(said) == (0, said)
        one.process.send_signal(signal.SIGINT)
        assert one.finish() == (130, b"")


def test_keep_when_nobody_answers_at_first_ends_at_once() -> None:
    with Peer("listen", "--json", "--keep", "--forward", "22", url="http://127.0.0.1:1") as one:
        assert one.finish()[0] == 3


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("listen", "--keep"), "--keep needs --forward"),
        (("connect", "--keep", A_CODE), "--keep needs --bind"),
        (("listen", "--keep", "--forward", "22", "--code", A_CODE), "a risk"),
        (("connect", "--keep", "--bind", "2222", A_CODE), "a risk"),
        (("listen", "--keep", "--forward", "22", "--words", "3"), "codes of 4 words"),
    ],
)
def test_keep_with_what_it_cannot_go_with_is_refused(words: tuple[str, ...], what: str) -> None:
    with Peer(*words, url="http://127.0.0.1:1") as one:
        assert one.finish()[0] == 2
        assert what in " ".join(one.said.split())

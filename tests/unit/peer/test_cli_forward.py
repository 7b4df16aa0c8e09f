"""The options of a forward: what becomes of them before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner, Result

from peer import cli
from peer.apps import command
from peer.apps.forward import Binding, Serving
from peer.core.places import Pattern, TcpPlace, UnixPlace

CODE = "42-crossover-clockwork"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command would run, instead of running it."""
    made: list[dict[str, Any]] = []

    def run_pipe(_: object, __: object, **rest: Any) -> int:
        made.append(rest)
        return 0

    monkeypatch.setattr(command, "run_pipe", run_pipe)
    monkeypatch.setenv("MIDAIR_RENDEZVOUS", "http://127.0.0.1:9")
    return made


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.main, words)


def test_listen_when_it_forwards_serves_and_names_the_partners_command(
    calls: list[dict[str, Any]],
) -> None:
    assert run("listen", "--forward", "127.0.0.1:22", "--allow", "db:*").exit_code == 0
    assert run("listen", "--allow", "*:80").exit_code == 0

    assert calls[0]["use"] == Serving(TcpPlace("127.0.0.1", 22), (Pattern("db", None),))
    assert calls[0]["words"] == ("--bind", "127.0.0.1:10022")
    assert calls[1]["use"] == Serving(None, (Pattern("*", 80),))
    assert calls[1]["words"][-2:] == ("--to", "HOST:PORT")


def test_connect_when_it_binds_listens_where_it_was_told(calls: list[dict[str, Any]]) -> None:
    words = ["--bind", "2222", "--bind", "unix:/run/x", "--to", "db:5432"]
    assert run("connect", CODE, *words).exit_code == 0

    places = (TcpPlace("127.0.0.1", 2222), UnixPlace("/run/x"))
    assert calls[0]["use"] == Binding(places, TcpPlace("db", 5432))
    assert calls[0]["prepare"] == calls[0]["use"].claim


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["listen", "--forward", "nowhere"], "--forward"),
        (["listen", "--allow", "10.0.0.0/99:1"], "--allow"),
        (["connect", CODE, "--bind", "70000"], "not a port"),
        (["connect", CODE, "--to", "a:1"], "give --bind, too"),
        (["connect", CODE, "--bind", "1", "--to", "unix:/x"], "names HOST:PORT"),
    ],
)
def test_option_when_it_makes_no_sense_exits_2(
    calls: list[dict[str, Any]], words: list[str], said: str
) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.output
    assert not calls

"""The command line: what becomes of arguments and environment before anything is sent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from peer import cli, prompt
from peer.apps import command
from peer.core.secret import Secret
from peer.core.words import completions
from peer.settings import DEFAULT_NTP, Settings

URL = "http://127.0.0.1:9"
CODE = "42-crossover-clockwork"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, str | None, dict[str, Any]]]:
    """What the command would run, instead of running it."""
    made: list[tuple[Settings, str | None, dict[str, Any]]] = []

    def run_pipe(settings: Settings, code: str | None, **rest: Any) -> int:
        made.append((settings, code, rest))
        return 0

    monkeypatch.setattr(command, "run_pipe", run_pipe)
    # Whoever runs the tests is not asked.
    monkeypatch.setattr(prompt, "_TERMINAL", "/no/such/terminal")
    for name in ("RENDEZVOUS", "NTP", "CODE", "SECRET", "TEST_SKEW_MS"):
        monkeypatch.delenv(f"MIDAIR_{name}", raising=False)
    return made


def run(*words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli.main, words, env=env, prog_name="midair")


def test_listen_when_options_are_given_hands_them_on(calls: list[Any]) -> None:
    words = "--ntp a --ntp b:1123 --local-port 20000 --timeout 2.5 --json --trace t -vv"
    assert run("listen", "--rendezvous", URL, *words.split()).exit_code == 0

    settings = Settings(URL, ("a", "b:1123"), 20_000, 2_500_000_000)
    told = {"listens": True, "as_json": True, "trace_path": "t", "verbosity": 2}
    assert calls == [(settings, None, told)]


def test_listen_when_nothing_is_given_takes_defaults_from_the_environment(
    calls: list[Any],
) -> None:
    assert run("listen", env={"MIDAIR_RENDEZVOUS": URL}).exit_code == 0
    assert run("listen", env={"MIDAIR_RENDEZVOUS": URL, "MIDAIR_NTP": "a b"}).exit_code == 0

    assert [settings.ntp for settings, _, _ in calls] == [DEFAULT_NTP, ("a", "b")]


def test_connect_when_asked_takes_the_code_from_each_place(
    calls: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "code").write_text(f"{CODE}\nmore\n")
    base = ["connect", "--rendezvous", URL]

    assert run(*base, CODE).exit_code == 0
    assert run(*base, env={"MIDAIR_CODE": CODE}).exit_code == 0
    assert run(*base, "--code-file", str(tmp_path / "code")).exit_code == 0
    assert [code.strip() for _, code, _ in calls] == [CODE] * 3


def test_listen_when_a_code_was_agreed_takes_it_from_each_place(
    calls: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "code").write_text(f"{CODE}\n")
    base = ["listen", "--rendezvous", URL]

    assert run(*base, "--code", CODE).exit_code == 0
    assert run(*base, env={"MIDAIR_CODE": CODE}).exit_code == 0
    assert run(*base, "--code-file", str(tmp_path / "code")).exit_code == 0
    assert [(code.strip(), told["listens"]) for _, code, told in calls] == [(CODE, True)] * 3


SECRET = str(Secret(bytes(range(16))))


@pytest.mark.parametrize("name", ["listen", "connect"])
def test_secret_when_given_is_taken_from_each_place(
    calls: list[Any], tmp_path: Path, name: str
) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    base = [name, "--rendezvous", URL]

    assert run(*base, "--secret-file", str(tmp_path / "secret")).exit_code == 0
    assert run(*base, env={"MIDAIR_SECRET": SECRET}).exit_code == 0
    assert [known for _, known, _ in calls] == [Secret(bytes(range(16)))] * 2


def test_words_when_given_reach_the_settings(calls: list[Any]) -> None:
    assert run("listen", "--rendezvous", URL).exit_code == 0
    assert run("listen", "--rendezvous", URL, "--words", "5").exit_code == 0

    assert [settings.words for settings, _, _ in calls] == [2, 5]


def test_known_when_it_is_an_argument_wins_over_the_environment(calls: list[Any]) -> None:
    env = {"MIDAIR_CODE": "7-crossover-zulu", "MIDAIR_SECRET": SECRET}
    assert run("connect", "--rendezvous", URL, CODE, env=env).exit_code == 0

    assert calls[0][1] == CODE


@pytest.mark.parametrize("typed", ["", "42-", "42-cros", "42-crossover-clockw"])
def test_code_when_completed_in_a_shell_is_each_next_word(typed: str) -> None:
    env = {"_MIDAIR_COMPLETE": "bash_complete", "COMP_WORDS": f"midair connect {typed}"}
    shown = run(env=env | {"COMP_CWORD": "2"}).output.split()

    found = ["plain," + text for text in completions(typed)]
    assert shown == found
    assert len(found) == {"": 0, "42-": 256}.get(typed, 1)


def test_skew_when_the_test_hook_is_set_reaches_the_settings(calls: list[Any]) -> None:
    run("listen", "--rendezvous", URL, env={"MIDAIR_TEST_SKEW_MS": "-2.5"})

    assert calls[0][0].hooks.skew_ns == -2_500_000


@pytest.mark.parametrize(
    ("words", "env", "text"),
    [
        (["listen"], {}, "No rendezvous given. Start one"),
        (["connect", "--rendezvous", URL], {}, "No code given. Run `midair listen`"),
        (["connect", "--rendezvous", URL, "--code-file", "/no/such"], {}, "cannot be read"),
        (["connect", "--rendezvous", URL, "--secret-file", "/no/such"], {}, "cannot be read"),
        (["connect", "--rendezvous", URL, CODE, "--secret-file", "x"], {}, "and only once"),
        (["listen", "--rendezvous", URL], {"MIDAIR_SECRET": "short"}, "MIDAIR_SECRET: a secret"),
        (
            ["listen", "--rendezvous", URL],
            {"MIDAIR_SECRET": SECRET, "MIDAIR_CODE": CODE},
            "are both set",
        ),
        (["listen", "--rendezvous", URL, "--words", "1"], {}, "--words"),
        (["listen", "--rendezvous", URL, "--words", "17"], {}, "--words"),
        (["listen", "--rendezvous", URL, "--timeout", "nan"], {}, "nan is not a number"),
        (["listen", "--rendezvous", URL, "--timeout", "inf"], {}, "inf is not a number"),
        (["listen", "--rendezvous", URL, "--timeout", "604801"], {}, "up to 604800"),
        (["listen", "--rendezvous", URL, "--ntp", "host:abc"], {}, "--ntp"),
        (["listen", "--rendezvous", URL, "--ntp", "host:0"], {}, "is not a port"),
        (["listen", "--rendezvous", URL], {"MIDAIR_NTP": "a b:x"}, "--ntp"),
        (["listen", "--rendezvous", ""], {}, "No rendezvous given. Start one"),
        (["listen", "--rendezvous", URL, "--timeout", "0"], {}, "--timeout"),
        (["listen", "--rendezvous", URL, "--local-port", "80"], {}, "--local-port"),
        (["listen", "--rendezvous", URL, "--local-port", "65533"], {}, "--local-port"),
        (["listen", "--rendezvous", URL], {"MIDAIR_TEST_SKEW_MS": "x"}, "is not a number"),
        (["listen", "--nonsense"], {}, "No such option"),
        (["dance"], {}, "No such command"),
    ],
)
def test_usage_when_it_makes_no_sense_exits_2_with_a_sentence(
    calls: list[Any], words: list[str], env: dict[str, str], text: str
) -> None:
    result = run(*words, env=env)

    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr
    assert calls == []


def test_local_port_when_it_is_the_last_possible_is_taken(calls: list[Any]) -> None:
    assert run("listen", "--rendezvous", URL, "--local-port", "65532").exit_code == 0


def test_version_when_asked_of_a_command_is_the_projects() -> None:
    assert run("listen", "--version").stdout == run("--version").stdout != ""


def test_code_when_interrupted_while_it_is_read_exits_130(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: int, __: int) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.read", read)
    for command_name in ("listen", "connect"):
        result = run(command_name, "--rendezvous", URL, "--code-file", "-")
        assert (result.exit_code, result.output) == (130, "")
    assert calls == []


def test_help_when_asked_loads_nothing_that_only_a_session_needs() -> None:
    code = (
        "import sys, peer.cli\n"
        "heavy = {'asyncio', 'httpx', 'pydantic', 'ntplib', 'ssl'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_session_when_loaded_leaves_out_what_its_first_request_does_not_need() -> None:
    code = (
        "import sys, peer.apps.command\n"
        "heavy = {'rich', 'pygments', 'httpx._main', 'h2', 'hpack'}\n"
        "heavy |= {'cryptography.x509', 'spake2', 'peer.io.attempt', 'peer.io.relay'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import httpx._main, h2.connection, httpcore._async.http2\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_session_when_loaded_reads_no_metadata_and_collects_no_modules() -> None:
    code = (
        "import gc, sys\n"
        "collected, read, usual = [], [], gc.get_threshold()\n"
        "gc.callbacks.append(lambda phase, _: collected.append(phase))\n"
        "def audit(event, args):\n"
        "    if event == 'open' and str(args[0]).endswith('entry_points.txt'):\n"
        "        read.append(args[0])\n"
        "sys.addaudithook(audit)\n"
        "from peer.cli import main\n"
        "try:\n"
        "    main(['connect', '7-disable-quota', '--rendezvous', 'ftp://host'])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 2, end.code\n"
        "assert 'peer.io.runner' in sys.modules\n"
        "assert not read, read\n"
        "assert len(collected) < 50, len(collected)\n"
        "assert gc.get_threshold() == usual and gc.get_freeze_count() > 10_000\n"
    )
    env = {name: value for name, value in os.environ.items() if "PYDANTIC" not in name}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=env)


def test_public_names_when_asked_for_are_all_there() -> None:
    import peer

    assert all(getattr(peer, name) for name in peer.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = peer.nonsense

"""``midair meet``: what becomes of its options before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from peer import cli
from peer.apps import meet
from peer.core.secret import Secret
from peer.meet_options import MEET_TIMEOUT_S
from peer.settings import DEFAULT_NTP, MeetSettings

HOST = "203.0.113.2"
TEXT = "aaaqeayeaudaocajbifqydiob4"
BYTES = bytes(range(16))
AT = "2026-11-20T22:14:30+08:00"
BY_TIME = MeetSettings(
    HOST, b"", at_us=1_795_184_070_000_000, zone_s=28_800, port=1314, remote_port=1314
)
BY_SECRET = MeetSettings(HOST, BYTES, timeout_ns=MEET_TIMEOUT_S * 10**9)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[MeetSettings, dict[str, Any]]]:
    """What the command would run, instead of running it."""
    made: list[tuple[MeetSettings, dict[str, Any]]] = []

    def run_meet(settings: MeetSettings, **rest: Any) -> int:
        made.append((settings, rest))
        return 0

    monkeypatch.setattr(meet, "run_meet", run_meet)
    for name in ("NTP", "SECRET", "TEST_SKEW_MS"):
        monkeypatch.delenv(f"MIDAIR_{name}", raising=False)
    return made


def run(*words: str, env: dict[str, str] | None = None, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli.main, ["meet", *words], env=env, input=stdin)


def test_time_when_given_with_a_port_is_all_that_is_needed(calls: list[Any]) -> None:
    assert run(HOST, "--port", "1314", "--at", AT).exit_code == 0

    assert calls == [(BY_TIME, {"as_json": False, "trace_path": None, "verbosity": 0})]


def test_options_when_given_are_handed_on(calls: list[Any]) -> None:
    words = "--port 1314 --remote-port 1315 --at next --ntp a --timeout 90 --json --trace t -vv"
    env = {"MIDAIR_TEST_SKEW_MS": "2"}

    assert run(HOST, *words.split(), env=env).exit_code == 0

    settings, told = calls[0]
    assert (settings.at_us, settings.at_next, settings.zone_s) == (None, True, 0)
    assert (settings.port, settings.remote_port, settings.ntp) == (1314, 1315, ("a",))
    assert (settings.timeout_ns, settings.hooks.skew_ns) == (90 * 10**9, 2 * 10**6)
    assert told == {"as_json": True, "trace_path": "t", "verbosity": 2}


def test_secret_when_given_comes_from_each_place(calls: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{TEXT}\nmore\n")
    env = {"MIDAIR_SECRET": "f" * 32}

    assert run(HOST, env={"MIDAIR_SECRET": TEXT}).exit_code == 0
    assert run(HOST, "--secret-file", str(file), env=env).exit_code == 0

    assert [settings for settings, _ in calls] == [BY_SECRET] * 2


def test_secret_when_there_is_a_time_too_proves_the_partner(calls: list[Any]) -> None:
    env = {"MIDAIR_SECRET": TEXT}

    assert run(HOST, "--port", "1314", "--at", AT, env=env).exit_code == 0

    assert calls[0][0] == replace(BY_TIME, secret=BYTES)


def test_ntp_when_nothing_is_said_is_the_default(calls: list[Any]) -> None:
    run(HOST, env={"MIDAIR_SECRET": TEXT})

    assert calls[0][0].ntp == DEFAULT_NTP


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "No host given"),
        ([HOST, "--at", AT], "--at needs --port"),
        ([HOST, "--port", "1314"], "--port needs --at"),
        ([HOST, "--remote-port", "1314"], "--remote-port needs --port and --at"),
        ([HOST, "--port", "80", "--at", AT], "--port"),
        ([HOST, "--port", "65536", "--at", AT], "--port"),
        ([HOST, "--port", "1314", "--at", "soon"], "--at: 'soon' is not a time like"),
        ([HOST, "--port", "1314", "--at", AT[:-6]], "has no zone"),
        ([HOST, "--port", "1314", "--at", AT, "--ntp", "a:b"], "--ntp"),
        ([HOST, "--secret-file", "/no/such"], "The secret cannot be read from /no/such"),
        ([HOST, "--rendezvous", "http://x"], "No such option"),
    ],
)
def test_usage_when_it_makes_no_sense_exits_2_with_a_sentence(
    calls: list[Any], words: list[str], text: str
) -> None:
    result = run(*words)

    assert (result.exit_code, result.stdout, calls) == (2, "", [])
    assert text in result.stderr


@pytest.mark.parametrize("text", ["hunter2", "correct horse battery staple", TEXT[1:]])
def test_secret_when_a_machine_could_guess_it_is_refused_and_not_repeated(
    calls: list[Any], text: str
) -> None:
    result = run(HOST, env={"MIDAIR_SECRET": text})

    assert (result.exit_code, calls) == (2, [])
    assert "midair meet --new-secret" in " ".join(result.stderr.split())
    assert text not in result.stderr


def test_new_secret_when_asked_for_is_one_and_another_each_time(calls: list[Any]) -> None:
    texts = [run("--new-secret").stdout for _ in range(2)]

    assert texts[0] != texts[1]
    assert all(text.endswith("\n") and str(Secret.parse(text)) == text.strip() for text in texts)
    assert calls == []


def test_secret_when_read_from_standard_input_takes_one_line_and_leaves_the_rest(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray(TEXT.encode() + b"\nthe user's")

    def read(_: int, count: int) -> bytes:
        taken = bytes(data[:count])
        del data[:count]
        return taken

    monkeypatch.setattr("os.read", read)

    assert run(HOST, "--secret-file", "-").exit_code == 0
    assert (calls[0][0].secret, bytes(data)) == (BYTES, b"the user's")

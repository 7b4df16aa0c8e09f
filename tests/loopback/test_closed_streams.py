"""Commands whose standard streams are closed or full say so in words, with a true exit code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.loopback.programs import BIN, NO_NTP, PATIENCE_S

CODE = "1-adroitness-absurd"
NOBODY = "http://127.0.0.1:1"
CASES = {
    f"receive {CODE} --rendezvous {NOBODY} <&-": "Nobody can be asked without a terminal",
    f"doctor --ntp {NO_NTP} >&-": "Standard output cannot be written: Bad file descriptor",
    f"doctor --ntp {NO_NTP} >/dev/full": "Standard output cannot be written: No space left",
    "meet --new-secret >&-": "Standard output cannot be written: Bad file descriptor",
    "meet --new-secret >/dev/full": "Standard output cannot be written: No space left",
}


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"{BIN / 'midair'} {command}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize(("command", "said"), CASES.items())
def test_command_when_a_stream_is_closed_or_full_exits_2_with_a_sentence(
    command: str, said: str
) -> None:
    run = shell(command)
    assert "Traceback" not in run.stderr
    assert (run.returncode, said in run.stderr) == (2, True), run.stderr


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (f"receive {CODE} --rendezvous {NOBODY} <&- >&- 2>&-", 2),
        (f"doctor --ntp {NO_NTP} --rendezvous ftp:/x 2>&-", 2),
        (f"send {Path(__file__)} --rendezvous {NOBODY} <&- >&- 2>&-", 3),
    ],
)
def test_command_when_nobody_can_be_told_has_its_exit_code(command: str, code: int) -> None:
    assert shell(command).returncode == code

"""Who hears of events, and that nobody who stops listening does any harm."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest

from peer.core.times import MonoNs
from peer.core.trace import CodeMade, Missed, Paired
from peer.errors import UsageError
from peer.tell import Tellers


def tellers() -> Tellers:
    return Tellers(lambda: MonoNs(3_000_000), MonoNs(1_000_000))


@pytest.mark.parametrize("as_json", [True, False])
def test_tell_when_a_reader_is_gone_goes_on_with_the_others_and_says_so_to_them(
    as_json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell = tellers()
    tell.tell_stderr(as_json=as_json)
    tell.tell_file("/dev/full")
    tell.tell_file(str(tmp_path / "trace"))
    tell(Missed(1, "silent"))
    tell(Missed(2, "silent"))
    tell.close()

    why = "the trace /dev/full is not written any more: No space left on device"
    events = [json.loads(line) for line in (tmp_path / "trace").read_text().splitlines()]
    assert [event["event"] for event in events] == ["missed", "warning", "missed"]
    assert events[1] == {"event": "warning", "t_ms": 2, "message": why}
    said = capsys.readouterr().err.splitlines()
    if as_json:
        assert [json.loads(line) for line in said] == events
    else:
        assert said[1] == f"midair: {why}"


def test_tell_when_standard_error_is_closed_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    tell = tellers()
    tell.tell_stderr(as_json=True)
    tell(Paired("a"))
    tell(Paired("a"))


def test_tell_when_there_is_no_standard_error_tells_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    tell = tellers()
    tell.tell_stderr(as_json=False)
    tell.tell_file("/dev/full")
    tell.tell_file(str(tmp_path / "trace"))
    tell(Paired("a"))
    tell.close()

    assert (tmp_path / "trace").read_text().count("paired") == 1


@pytest.mark.parametrize("is_there", [False, True])
def test_trace_file_when_written_is_the_owners_only(tmp_path: Path, is_there: bool) -> None:
    if is_there:
        (tmp_path / "trace").touch(0o644)
    tell = tellers()
    tell.tell_file(str(tmp_path / "trace"))
    tell.close()

    assert (tmp_path / "trace").stat().st_mode & 0o777 == 0o600


def test_trace_file_when_it_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        tellers().tell_file(str(tmp_path / "no" / "trace"))


def test_log_when_events_are_told_has_them_all_but_the_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "midair")
    tell = tellers()
    tell(CodeMade("1-secret", "midair connect 1-secret"))
    tell(Paired("a"))

    assert caplog.messages == ["paired seat=a"]

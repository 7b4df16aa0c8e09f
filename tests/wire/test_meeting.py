"""What two hosts derive alone: the same instant, session, ports and key, in any implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from peer.core.meeting import Meeting, at_time, in_bucket
from peer.core.secret import NO_SECRET, Secret

GOLDEN = Path(__file__).parent / "meet"


def golden(name: str) -> dict[str, Any]:
    found = json.loads((GOLDEN / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def derived(meeting: Meeting) -> dict[str, Any]:
    return {
        "instant_us": meeting.instant_us,
        "lasts_us": meeting.lasts_us,
        "session": meeting.session.hex(),
        "key": meeting.key.hex(),
    }


def test_bucket_when_compared_is_the_golden_file() -> None:
    vector = golden("bucket")
    meeting = in_bucket(vector.pop("bucket"), Secret.parse(vector.pop("secret")))

    assert meeting.ports == tuple((port, port) for port in vector.pop("ports"))
    assert derived(meeting) == vector


@pytest.mark.parametrize("name", ["time", "time_secret"])
def test_time_when_compared_is_the_golden_file(name: str) -> None:
    vector = golden(name)
    text = vector.pop("secret")
    secret = NO_SECRET if text is None else Secret.parse(text)
    ports = vector.pop("local_port"), vector.pop("remote_port")
    meeting = at_time(vector["instant_us"], *ports, secret)
    partners = at_time(vector["instant_us"], ports[1], ports[0], secret)

    assert meeting.ports == (ports,)
    assert derived(meeting) == derived(partners) == vector


def test_golden_files_when_listed_are_all_tested() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {"bucket", "time", "time_secret"}

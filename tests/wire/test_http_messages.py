"""Every HTTP message is pinned: a change of these files is a change of the protocol."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from rendezvous.protocol import messages
from rendezvous.protocol.errors import Problem
from rendezvous.protocol.messages import (
    AttemptRequest,
    AttemptResponse,
    JoinRequest,
    LeaveRequest,
    Message,
    OpenRequest,
    Seated,
    TimeResponse,
    WaitRequest,
    WaitResponse,
)

GOLDEN = Path(__file__).parent / "http"
FILES: dict[str, type[BaseModel]] = {
    "open_request": OpenRequest,
    "open_request_agreed": OpenRequest,
    "join_request": JoinRequest,
    "seated": Seated,
    "wait_request": WaitRequest,
    "wait_response": WaitResponse,
    "wait_response_left": WaitResponse,
    "attempt_request": AttemptRequest,
    "attempt_request_no_ntp": AttemptRequest,
    "attempt_response_appointment": AttemptResponse,
    "attempt_response_verdict": AttemptResponse,
    "attempt_response_left": AttemptResponse,
    "attempt_response_empty": AttemptResponse,
    "leave_request": LeaveRequest,
    "time_response": TimeResponse,
    "problem": Problem,
}


def test_every_file_is_a_message_and_every_message_has_a_file() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(FILES)
    top_level = {
        kind
        for kind in vars(messages).values()
        if isinstance(kind, type) and issubclass(kind, Message)
    } - {Message, messages.SeatedRequest}
    assert top_level <= set(FILES.values())


@pytest.mark.parametrize("name", FILES)
def test_golden_message_reads_and_writes_back_the_same(name: str) -> None:
    text = (GOLDEN / f"{name}.json").read_text()
    message = FILES[name].model_validate_json(text)
    assert json.loads(message.model_dump_json()) == json.loads(text)
    # Nothing of what is written may be lost: every key of the file is a field.
    assert message == FILES[name].model_validate(json.loads(text))


@given(st.binary(), st.sampled_from(sorted(FILES)))
def test_any_bytes_raise_only_validation_errors(data: bytes, name: str) -> None:
    with pytest.raises(ValidationError):
        FILES[name].model_validate_json(data)

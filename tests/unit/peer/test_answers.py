"""What becomes of a rendezvous's answers, whatever they are: a message, or an error of ours."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.errors import RefusedError, RendezvousError, VersionError
from peer.io.answers import error_of, parse, problem_of, retry_after_ns, unreachable
from peer.io.http import MAX_OCTETS, Said
from rendezvous.protocol.messages import (
    AttemptResponse,
    Message,
    Seated,
    TimeResponse,
    WaitResponse,
)

GOOD = Said(200, "application/json", "", b'{"version":1,"partner":true}', whole=True)
PROBLEM = "application/problem+json"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
bodies = st.binary(max_size=200) | st.builds(lambda value: repr(value).encode(), json_values)


@given(bodies, st.sampled_from([AttemptResponse, Seated, TimeResponse, WaitResponse]))
def test_parse_when_the_body_is_anything_raises_only_errors_of_ours(
    body: bytes, kind: type[Message]
) -> None:
    said = ""
    try:
        assert parse(replace(GOOD, body=body), kind, "rendezvous.example").version == 1
    except RendezvousError as error:
        said = str(error)
    assert said.isprintable()


def test_parse_when_there_is_more_than_was_read_refuses_it_however_good_it_looks() -> None:
    assert parse(GOOD, WaitResponse, "host").partner
    with pytest.raises(RefusedError, match=f"more than {MAX_OCTETS // 1024} KiB"):
        parse(replace(GOOD, whole=False), WaitResponse, "host")


def test_parse_when_the_version_is_enormous_shows_only_the_beginning_of_it() -> None:
    body = b'{"version":7%s,"partner":true}' % (b"7" * 4_000)
    with pytest.raises(VersionError) as refused:
        parse(replace(GOOD, body=body), WaitResponse, "host")
    assert len(refused.value.what) < 400


@given(st.integers(300, 999), st.sampled_from([PROBLEM, "text/html", ""]), bodies)
def test_problem_when_the_answer_is_anything_is_said_in_one_printable_line(
    status: int, kind: str, body: bytes
) -> None:
    said = Said(status, kind, "", body, whole=True)
    text = str(error_of(problem_of(said), "http://rendezvous.example"))
    assert text.isprintable()
    assert len(text) < 600


@given(st.text(max_size=400))
def test_unreachable_when_a_parser_quotes_what_it_was_sent_is_printable_and_short(
    quoted: str,
) -> None:
    error = unreachable("http://rendezvous.example", httpx.RemoteProtocolError(quoted))
    assert error.what.isprintable()
    assert len(error.what) < 400


@given(st.text(max_size=12))
def test_retry_after_when_it_is_anything_is_a_sensible_time(text: str) -> None:
    assert 0 <= retry_after_ns(replace(GOOD, retry_after=text)) < 10**6 * 10**9

"""docs/protocol.md says what the code does, and says all of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import fields
from typing import get_args

import pytest

from peer.apps.doctor import as_object
from peer.core import frames, greeting, trace
from peer.core.allocation import Allocation
from peer.core.doctor.check import Status
from peer.core.doctor.clock import ClockSeen, judge_clock
from peer.core.doctor.kernel import KernelSeen, judge_kernel
from peer.core.doctor.nat import NatSeen, judge_ipv6, judge_nat
from peer.core.doctor.partners import expectations
from peer.core.doctor.rendezvous import RendezvousSeen, judge_rendezvous
from peer.core.trace import TraceEvent
from rendezvous.protocol.errors import ProblemWord
from rendezvous.protocol.messages import CandidateKind, MappingBehaviour, Reason, Report
from tests.unit.peer.doctor.test_checks import estimate, nat
from tests.wire.document import COLUMNS, DOCUMENT, GOLDEN, ROOT, filled, named, parts, upper

TEXT = DOCUMENT.read_text()
SECTIONS = {part.split("\n", 1)[0]: part for part in re.split(r"^## \d+\. ", TEXT, flags=re.M)}
EVENTS = sorted(
    (
        kind
        for kind in vars(trace).values()
        if isinstance(kind, type) and issubclass(kind, TraceEvent) and kind is not TraceEvent
    ),
    key=lambda kind: kind.event,
)
GREETINGS = {number: kind for number, kind in enumerate(get_args(greeting.Greeting), start=1)}


def entries() -> dict[str, str]:
    """Return what the document says of each trace event."""
    section = SECTIONS["The events of `--json`"]
    found = re.findall(r"^\* `(\w+)`(.*?)(?=^\S|^$)", section, re.MULTILINE | re.DOTALL)
    return dict(found)


def test_document_when_generated_anew_is_the_same() -> None:
    assert filled(TEXT) == TEXT, "run `make docs`"


def test_generated_parts_when_listed_are_all_in_the_document() -> None:
    # Answers that other STUN servers give too, or that say nothing new.
    left_out = {"stun/request", "stun/success_v4", "stun/error_420", "stun/error_500"}

    assert set(named(TEXT)) == set(parts()) - left_out
    assert len(named(TEXT)) == len(set(named(TEXT)))


def test_json_when_shown_is_a_golden_file() -> None:
    golden = [json.loads(path.read_text()) for path in GOLDEN.glob("*/*.json")]
    shown = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", TEXT, re.M | re.S)]

    assert len(shown) == len(golden)
    assert all(message in golden for message in shown)


@pytest.mark.parametrize("words", [ProblemWord, Reason, MappingBehaviour, CandidateKind])
def test_words_when_listed_are_all_named(
    words: type[ProblemWord | Reason | MappingBehaviour | CandidateKind],
) -> None:
    assert [word for word in words if f"`{word.value}`" not in TEXT] == []


def test_report_when_described_has_a_row_for_each_field() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", SECTIONS["HTTP: the rendezvous"], re.MULTILINE)

    assert [name for name in Report.model_fields if name not in rows] == []


def test_trace_events_when_listed_are_exactly_the_described_ones() -> None:
    assert set(entries()) == {kind.event for kind in EVENTS}


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.event)
def test_trace_event_when_described_names_every_field(kind: type[TraceEvent]) -> None:
    described = entries()[kind.event]

    assert [field.name for field in fields(kind) if f"`{field.name}`" not in described] == []


def test_doctors_report_when_described_names_every_key() -> None:
    section = SECTIONS["The report of `midair doctor --json`"]
    seen = NatSeen(asked=True, observations=nat("random").observations)
    clock = ClockSeen(ntp=estimate(), rendezvous=estimate())
    tracker = {"count": 1, "max": 2, "syn_sent": 3, "close_wait": 4, "established": 5}
    checks = [
        judge_clock(clock),
        judge_kernel(KernelSeen(None, (1, 2), conntrack=tracker)),
        judge_rendezvous(RendezvousSeen()),
        judge_nat(seen),
        judge_ipv6(seen),
    ]
    report = as_object(checks, expectations(seen, has_ntp=True), 0)
    parts = [report, *(part for part in report.values() if isinstance(part, dict)), tracker]
    words = [*Status, *Allocation, *(key for part in parts for key in part)]

    assert [word for word in words if f"`{word}`" not in section] == []


@pytest.mark.parametrize("number", GREETINGS)
def test_greeting_when_described_has_its_type_and_length(number: int) -> None:
    kind = GREETINGS[number]
    section = SECTIONS["The greeting: which connection is kept"]
    (length,) = re.findall(rf"^{number}     {upper(kind)} +(\d+) ", section, re.MULTILINE)

    encoded = [bytes.fromhex(path.read_text()) for path in GOLDEN.glob("greeting/*.hex")]
    assert {len(data) - 3 for data in encoded if data[0] == number} == {int(length)}


@pytest.mark.parametrize("kind", frames.Type)
def test_frame_when_described_has_its_type(kind: frames.Type) -> None:
    assert re.search(rf"^{kind.value}     {kind.name} ", SECTIONS["The stream"], re.MULTILINE)


def derived(material: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869), one block, with the salt of a session's keys."""
    extracted = hmac.digest(b"midair/1 session", material, hashlib.sha256)
    return hmac.digest(extracted, purpose + b"\x01", hashlib.sha256)


def test_keys_when_derived_as_the_document_says_are_the_golden_ones() -> None:
    given = dict(re.findall(r"^(\w+) +([0-9a-f]{32,64})\b", SECTIONS["The code and its key"], re.M))
    key = {name: bytes.fromhex(text) for name, text in given.items() if len(text) % 2 == 0}
    material = key["material"] + key["session"]
    proven = b"a" + (2).to_bytes(2, "big") + key["certificate"]
    race = b"midair/1 race" + key["digest"] + key["certificate"] + key["partner"]

    identity = hmac.digest(derived(material, b"midair/1 identity"), proven, hashlib.sha256)
    assert identity == key["identity"]
    assert derived(material, race) == key["race"]


def test_proof_when_made_as_the_document_says_is_the_golden_one() -> None:
    (key,) = re.findall(r"^race +([0-9a-f]{64})$", TEXT, re.MULTILINE)
    hello_i, hello_r, proof = (
        bytes.fromhex((GOLDEN / f"greeting/{name}.hex").read_text())[3:]
        for name in ("hello_initiator", "hello_responder", "proof_initiator")
    )
    session_attempt_pair = hello_i[7:27]
    text = b"midair/1 proof" + b"I" + session_attempt_pair + hello_i[27:] + hello_r[27:]

    assert hmac.digest(bytes.fromhex(key), text, hashlib.sha256) == proof


def test_lines_when_counted_fit() -> None:
    # A row of a table cannot be broken.
    lines = [line for line in TEXT.splitlines() if not line.startswith("|")]

    assert [line for line in lines if len(line) > COLUMNS] == []


def test_links_when_followed_lead_somewhere() -> None:
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) == anchors
    assert "](docs/protocol.md)" in (ROOT / "README.md").read_text()

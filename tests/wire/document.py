"""The generated parts of docs/protocol.md: what stands in the code is never written twice.

A part stands between two comments, ``<!-- generated: NAME -->`` and ``<!-- end -->``.  The
names are the keys of :func:`parts`.  ``make docs`` rewrites them all, and
``tests/unit/test_docs.py`` fails while the document says something else.

It lives with the golden files, and not with the document, since it reads both them and the code:
``python -m tests.wire.document`` from the root of the checkout.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

from peer import errors
from peer.core import (
    agent,
    binding,
    code,
    frames,
    keys,
    meeting,
    proof,
    race,
    secret,
    stream_machine,
    volley,
)
from peer.io import attempt, learn, wire
from peer.meet_options import MEET_TIMEOUT_S
from peer.settings import CONNECT_TIMEOUT_NS
from rendezvous import session, shelf, tokens
from rendezvous.protocol import messages, planner, relay, stun
from rendezvous.protocol.errors import STATUS, ProblemWord
from rendezvous.protocol.times import NS_PER_S, US_PER_S
from rendezvous.store import Limits

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "protocol.md"
GOLDEN = Path(__file__).parent
COLUMNS = 100
SESSION = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
OWN = bytes.fromhex("a1" * 32)
"""The fingerprint of a certificate: the golden report's."""
_PART = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """Return a markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def upper(kind: type) -> str:
    """Return a frame's or greeting's name as people write it: EndAck is END_ACK."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).upper()


def transitions(steps: Iterable[tuple[tuple[Enum, type], Enum]], *, shout: bool = False) -> str:
    """Return a state table.

    Args:
        steps: ((state, event), state after).
        shout: write the events in capitals, as messages on the wire are.
    """
    rows: dict[tuple[str, str], list[str]] = {}
    for (state, event), after in steps:
        name = upper(event) if shout else event.__name__
        rows.setdefault((name, after.name), []).append(state.name)
    lines = [(", ".join(before), name, after) for (name, after), before in rows.items()]
    return table(("in state", "event", "state after"), lines)


def sentence(docstring: str) -> str:
    """Return a docstring as one line of markdown."""
    text = re.sub(r":\w+:`([^`]+)`", r"`\1`", " ".join(docstring.split()))
    return text.replace("``", "`")


def meanings(kind: type[Enum]) -> dict[str, str]:
    """Return the text under each member of an enumeration."""
    (cls,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(cls, ast.ClassDef)
    found = {}
    for member, text in zip(cls.body, cls.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr):
            assert isinstance(text.value, ast.Constant)
            assert isinstance(member.targets[0], ast.Name)
            found[member.targets[0].id] = sentence(str(text.value.value))
    return found


def problems() -> str:
    """Return the problem words with their statuses."""
    said = meanings(ProblemWord)
    return table(
        ("word", "status", "meaning"),
        ((f"`{word.value}`", STATUS[word], said[word.name]) for word in ProblemWord),
    )


def relay_answers() -> str:
    """Return what a relay answers."""
    said = meanings(relay.Status)
    return table(
        ("octet", "name", "meaning"),
        ((f"0x{status:02x}", status.name, said[status.name]) for status in relay.Status),
    )


def reasons() -> str:
    """Return the reason words."""
    said = meanings(messages.Reason)
    return table(
        ("word", "meaning"),
        ((f"`{reason.value}`", said[reason.name]) for reason in messages.Reason),
    )


def verdicts() -> str:
    """Return what ends the command ``midair``, with its exit code."""

    def tree(kind: type[errors.MidairError]) -> Iterator[type[errors.MidairError]]:
        yield kind
        for below in kind.__subclasses__():
            yield from tree(below)

    rows = []
    for kind in sorted(tree(errors.MidairError), key=lambda kind: kind.exit_code):
        # The root is never raised, and what another module adds shows its base's verdict.
        if kind is not errors.MidairError and kind.__module__ == errors.__name__:
            verdict = "a reason" if kind is errors.NoPathError else f"`{kind.verdict}`"
            rows.append((kind.exit_code, verdict, sentence(str(kind.__doc__).split("\n\n")[0])))
    return table(("exit code", "`verdict`", "meaning"), rows)


def numbers() -> str:
    """Return every number that both sides of a conversation should know."""
    ms, s = 1_000_000, NS_PER_S
    first, later = (us // US_PER_S for us in planner.DEADLINE_US)
    keep = {name.removeprefix("TCP_KEEP").lower(): n for name, n in wire.KEEPALIVE.items()}
    rows = (
        ("protocol version", messages.PROTOCOL_VERSION),
        ("longest long poll", f"{messages.MAX_POLL_US // US_PER_S} s"),
        ("a session is kept after its last request", f"{Limits().ttl_us // US_PER_S} s"),
        ("and after nobody is expected any more", f"{shelf.LINGER_US // US_PER_S} s"),
        ("highest attempt number", messages.MAX_ATTEMPTS),
        ("attempts that our peer makes", agent.MAX_ATTEMPTS),
        ("attempts that the server remembers", session.ATTEMPTS_KEPT),
        ("port pairs of an appointment, at most", messages.MAX_PAIRS),
        ("life of an address token", f"{tokens.TOKEN_LIFE_US // US_PER_S} s"),
        ("our peer learns again after", f"{learn.FRESH_NS // s} s"),
        ("our peer's `prepare_us`", f"{learn.PREPARE_NS // ms} ms"),
        ("longest STUN message over TCP", f"{stun.MAX_FRAME_OCTETS} octets"),
        ("longest SESSION or TOKEN", f"{stun.MAX_TEXT_OCTETS} octets"),
        ("from the instant to the deadline, first attempt", f"{first} s"),
        ("and every later one", f"{later} s"),
        ("SYN budget of an appointment", planner.SYN_BUDGET),
        ("our peer's own ceiling of SYNs an attempt", volley.SYN_CEILING),
        ("and of an attempt's length", f"{volley.ATTEMPT_CEILING_NS // s} s"),
        ("shots that may follow at once, for each pair", volley.BURST_SHOTS),
        ("of these, used by a pair that is not the lead", volley.FOLLOWER_SHOTS),
        ("its spread pauses, times the number of pairs", f"{volley.FOLLOWER_SHARE} times"),
        ("afterwards the pause is uniform up to", f"{volley.SPACING_NS // ms} ms"),
        ("share of the budget from which the rest is spread", f"{volley.SPREAD_FROM:.0%}"),
        ("race after the deadline, at most", f"{attempt.RACE_GRACE_NS // s} s"),
        ("wait for SELECTED", f"2 round trips + {race.SELECT_GRACE_NS // s} s"),
        ("words of a code, unless told otherwise", code.DEFAULT_WORDS),
        ("words of a code", f"{code.MIN_WORDS} to {code.MAX_WORDS}"),
        ("nonce and proof", f"{proof.NONCE_BYTES} and {proof.PROOF_BYTES} bytes"),
        ("credit at the start of each direction", f"{stream_machine.WINDOW} bytes"),
        ("DATA that our peer sends, at most", f"{frames.DATA_SEND_MAX} bytes"),
        ("DATA that a receiver takes", f"{frames.DATA_RECEIVE_MAX} bytes"),
        ("reason of an ABORT, at most", f"{frames.REASON_MAX} bytes of UTF-8"),
        ("wait for the partner's FIN", f"{wire.LINGER_S:g} s"),
        ("keepalive", f"{keep['idle']} s idle, then {keep['cnt']} probes {keep['intvl']} s apart"),
        ("unacknowledged bytes end a connection after", f"{wire.USER_TIMEOUT_MS // 1000} s"),
        ("time from pairing to a connection", f"{CONNECT_TIMEOUT_NS // s} s"),
        ("a bucket of `midair meet`", f"{meeting.BUCKET_US // US_PER_S} s"),
        ("its instant is within", f"{meeting.SPREAD_US // US_PER_S} s of its start"),
        ("its meeting may be joined for", f"{meeting.JOIN_US // US_PER_S} s"),
        ("its ports", f"{meeting.FIRST_PORT} to {meeting.LAST_PORT}"),
        ("bound of a clock to meet by, at most", f"{meeting.MAX_BOUND_US // US_PER_S} s"),
        ("our peer gives up a secret's meetings after", f"{MEET_TIMEOUT_S} s"),
    )
    return table(("number", "value"), rows)


def vector() -> str:
    """Return what is derived for one attempt: the keys of the golden proofs."""
    answer = (GOLDEN / "http" / "attempt_response_appointment.json").read_text()
    plan = messages.AttemptResponse.model_validate_json(answer).appointment
    assert plan is not None
    assert plan.partner is not None
    partner = bytes.fromhex(plan.partner.certificate)
    digest = binding.digest(SESSION, plan)
    key = keys.SessionKey(bytes(range(keys.KEY_BYTES)), SESSION)
    shared = secret.Secret(bytes(range(secret.SECRET_BYTES)))
    rows = (
        ("code", code.Code("42", bytes(range(code.DEFAULT_WORDS)))),
        ("session", SESSION.hex()),
        ("material", key.material.hex()),
        ("certificate", OWN.hex()),
        ("partner", partner.hex()),
        ("identity", keys.identity_proof(key, "a", plan.attempt, OWN).hex()),
        ("digest", digest.hex()),
        ("race", keys.race_key(key, digest, OWN, partner).hex()),
        ("secret", shared),
        ("its plate", shared.nameplate),
        ("its material", keys.SessionKey.of_secret(shared, SESSION).material.hex()),
    )
    return "```\n" + "".join(f"{name:12}  {value}\n" for name, value in rows) + "```\n"


def golden(path: Path) -> str:
    """Return a golden file as a code block; hexadecimal wrapped between its fields."""
    text = path.read_text().strip()
    if path.suffix == ".json":
        return f"```json\n{text}\n```\n"
    return f"```\n{textwrap.fill(text, COLUMNS - 4, subsequent_indent='  ')}\n```\n"


def parts() -> dict[str, str]:
    """Return every generated part by its name."""
    return {
        "problems": problems(),
        "reasons": reasons(),
        "relay-answers": relay_answers(),
        "verdicts": verdicts(),
        "numbers": numbers(),
        "vector": vector(),
        "states/agent": transitions(agent.TRANSITIONS.items()),
        "states/session": transitions(session.TRANSITIONS.items()),
        "states/race": transitions(race.TRANSITIONS.items(), shout=True),
        "states/sender": transitions(stream_machine.SENDER.items(), shout=True),
        "states/receiver": transitions(stream_machine.RECEIVER.items(), shout=True),
        **{
            str(path.relative_to(GOLDEN).with_suffix("")): golden(path)
            for path in sorted(GOLDEN.glob("*/*"))
            if path.suffix in (".json", ".hex")
        },
    }


def filled(text: str) -> str:
    """Return the document with its generated parts as they should be.

    Args:
        text: the document.

    Raises:
        KeyError: it names a part that there is not.
    """
    made = parts()
    return _PART.sub(lambda part: part[1] + made[part[2]] + part[3], text)


def named(text: str) -> list[str]:
    """Return the names of the generated parts in a document, in its order."""
    return [part[2] for part in _PART.finditer(text)]


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))

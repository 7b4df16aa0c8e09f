"""One end of the race, message by message: which connection is kept, and why others are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peer.core.greeting import Facts, Greeting, Hello, Proof, Select, Selected
from peer.core.proof import PARTNER_OF, Place, make_proof
from peer.core.race import SELECT_GRACE_NS, Race
from peer.core.race_events import (
    Broken,
    Command,
    Drop,
    Event,
    Keep,
    Opened,
    Received,
    Send,
    SetTimer,
    TellFacts,
    TimerFired,
)
from peer.core.times import MonoNs
from rendezvous.protocol.messages import Reason, Role

SESSION, KEY = bytes(range(16)), b"k" * 32
OWN, FAR = b"o" * 32, b"f" * 32
FACTS = Facts(1, 4, 0, 900, 5, 0)
MS = 10**6


def race(role: Role | None) -> Race:
    return Race(role, SESSION, 1, KEY)


def far_hello(pair: int = 0) -> Hello:
    return Hello(Place(SESSION, 1, pair), FAR)


def far_proof(role: Role, pair: int = 0, key: bytes = KEY) -> Proof:
    """The proof that the partner of this role sends."""
    return Proof(make_proof(key, PARTNER_OF[role], Place(SESSION, 1, pair), FAR, OWN))


def tell(machine: Race, *events: Event, at: int = 0) -> list[Command]:
    """Give events; returns the orders that the last one led to."""
    commands: list[Command] = []
    for event in events:
        commands = list(machine.handle(event, now=MonoNs(at)))
    return commands


def proven(machine: Race, pair: int = 0, at: int = 0) -> list[Command]:
    """Prove a connection; returns the orders that follow from the far end's proof."""
    tell(machine, Opened(pair, OWN), Received(pair, far_hello(pair)))
    return tell(machine, Received(pair, far_proof(machine.role_of(pair), pair)), at=at)


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_opened_when_new_is_greeted_and_proves_itself(role: Role) -> None:
    machine = race(role)

    assert tell(machine, Opened(3, OWN)) == [Send(3, Hello(Place(SESSION, 1, 3), OWN))]
    proof = Proof(make_proof(KEY, role, Place(SESSION, 1, 3), OWN, FAR))
    assert tell(machine, Received(3, far_hello(3))) == [Send(3, proof)]


def test_proof_when_right_is_selected_by_the_initiator_only() -> None:
    wait_ns = 2 * 40 * MS + SELECT_GRACE_NS

    assert proven(race("responder"), at=40 * MS) == []
    assert proven(race("initiator"), at=40 * MS) == [
        TellFacts(0, Select),
        SetTimer(MonoNs(40 * MS + wait_ns)),
    ]


def test_initiator_when_it_selects_one_leaves_the_next_alone() -> None:
    machine = race("initiator")
    proven(machine, 0)

    assert proven(machine, 1) == []


def test_initiator_when_selected_comes_keeps_that_one() -> None:
    machine = race("initiator")
    proven(machine)

    assert tell(machine, Received(0, Selected(FACTS))) == [Keep(0, FACTS)]
    assert machine.kept == 0


def test_initiator_when_the_answer_is_late_selects_the_next_and_takes_either() -> None:
    for answered in (0, 1):
        machine = race("initiator")
        proven(machine, 0)
        proven(machine, 1)
        assert tell(machine, TimerFired(), at=SELECT_GRACE_NS)[0] == TellFacts(1, Select)

        assert tell(machine, Received(answered, Selected(FACTS))) == [Keep(answered, FACTS)]


def test_initiator_when_the_selected_one_breaks_selects_the_next_at_once() -> None:
    machine = race("initiator")
    proven(machine, 0)
    proven(machine, 1)

    commands = tell(machine, Broken(0))

    assert commands[:2] == [Drop(0, Reason.NOT_SELECTED), TellFacts(1, Select)]


def test_responder_when_selected_answers_once() -> None:
    machine = race("responder")
    proven(machine, 0)
    proven(machine, 1)

    assert tell(machine, Received(1, Select(FACTS))) == [TellFacts(1, Selected), Keep(1, FACTS)]
    assert tell(machine, Received(0, Select(FACTS))) == []
    assert machine.kept == 1


def test_proof_when_wrong_is_a_wrong_code() -> None:
    machine = race("responder")
    tell(machine, Opened(0, OWN), Received(0, far_hello()))

    wrong = far_proof("responder", key=b"x" * 32)
    assert tell(machine, Received(0, wrong)) == [Drop(0, Reason.AUTHENTICATION)]
    assert machine.misses == {Reason.AUTHENTICATION: 1}
    assert machine.alive == 0


@pytest.mark.parametrize(
    "hello",
    [
        Hello(Place(SESSION, 1, 0), FAR, version=2),
        Hello(Place(SESSION, 1, 1), FAR),
        Hello(Place(SESSION, 2, 0), FAR),
        Hello(Place(bytes(16), 1, 0), FAR),
    ],
    ids=["version", "pair", "attempt", "session"],
)
def test_hello_when_of_another_connection_is_a_stranger(hello: Hello) -> None:
    machine = race("initiator")
    tell(machine, Opened(0, OWN))

    assert tell(machine, Received(0, hello)) == [Drop(0, Reason.NOT_SELECTED)]


def test_echo_when_somebody_sends_our_own_words_back_is_a_stranger() -> None:
    machine = race("initiator")
    own_hello = tell(machine, Opened(0, OWN))[0]
    assert isinstance(own_hello, Send)

    # Not a wrong code: an echo service, or this very peer, guesses nothing.
    assert tell(machine, Received(0, own_hello.message)) == [Drop(0, Reason.NOT_SELECTED)]


def test_proof_when_it_is_our_own_proves_nothing() -> None:
    machine = race("initiator")
    tell(machine, Opened(0, OWN))
    own_proof = tell(machine, Received(0, far_hello()))[0]
    assert isinstance(own_proof, Send)

    assert tell(machine, Received(0, own_proof.message)) == [Drop(0, Reason.AUTHENTICATION)]


def test_proof_when_wrong_where_the_partner_is_known_hurries_nobody() -> None:
    machine = race("responder")
    tell(machine, Opened(0, OWN), Received(0, far_hello()))
    tell(machine, Received(0, far_proof("responder", key=b"x" * 32)), at=40 * MS)
    assert machine.gives_up_at is None


def test_proof_when_wrong_leaves_the_others_the_time_of_an_answer() -> None:
    machine = race(None)
    for pair in (0, 1, 2):
        tell(machine, Opened(pair, OWN), Received(pair, far_hello(pair)))
    assert machine.gives_up_at is None

    role = machine.role_of(0)
    wrong = far_proof(role, key=b"x" * 32)
    tell(machine, Received(0, wrong), at=40 * MS)
    assert machine.gives_up_at == 40 * MS + 2 * 40 * MS + SELECT_GRACE_NS
    # The next wrong one gives nobody more time.
    tell(machine, Received(1, wrong), at=90 * MS)
    assert machine.gives_up_at == 120 * MS + SELECT_GRACE_NS

    tell(machine, Received(2, far_proof(role, 2)), at=100 * MS)
    assert tell(machine, Received(2, Selected(FACTS)))[-1] == Keep(2, FACTS)


@pytest.mark.parametrize(
    ("role", "before", "message"),
    [
        ("initiator", 1, far_proof("initiator")),
        ("initiator", 1, Selected(FACTS)),
        ("responder", 1, Select(FACTS)),
        ("responder", 2, far_hello()),
        ("responder", 2, Select(FACTS)),
        ("responder", 3, Selected(FACTS)),
        ("initiator", 3, Select(FACTS)),
        ("initiator", 3, far_proof("initiator")),
    ],
)
def test_greeting_when_out_of_turn_spends_the_connection(
    role: Role, before: int, message: Greeting
) -> None:
    machine = race(role)
    history: list[Event] = [Opened(0, OWN), Received(0, far_hello()), Received(0, far_proof(role))]
    tell(machine, *history[:before])

    assert tell(machine, Received(0, message))[0] == Drop(0, Reason.NOT_SELECTED)


def test_spent_when_more_comes_on_it_stays_spent_and_is_counted_once() -> None:
    machine = race("responder")
    tell(machine, Opened(0, OWN), Broken(0))

    assert tell(machine, Received(0, far_hello())) == []
    assert tell(machine, Broken(0)) == []
    assert machine.misses == {Reason.NOT_SELECTED: 1}


def test_kept_when_more_happens_changes_nothing() -> None:
    machine = race("responder")
    proven(machine)
    tell(machine, Received(0, Select(FACTS)))

    events: list[Event] = [Opened(1, OWN), Broken(0), Received(0, far_hello()), TimerFired()]
    assert [tell(machine, event) for event in events] == [[], [], [], []]
    assert machine.kept == 0


def test_unproven_when_a_far_end_says_nothing_counts_it_as_not_selected() -> None:
    machine = race("initiator")
    tell(machine, Opened(0, OWN), Opened(1, OWN), Broken(1), Opened(2, OWN))

    assert machine.unproven == {Reason.NOT_SELECTED: 3}
    assert race("initiator").unproven == {}


def test_unproven_when_a_proof_was_wrong_still_says_so() -> None:
    machine = race("initiator")
    tell(machine, Opened(0, OWN), Opened(1, OWN), Received(1, far_hello(1)))
    tell(machine, Received(1, far_proof("initiator", 1, key=b"x" * 32)))

    assert machine.unproven == {Reason.AUTHENTICATION: 1, Reason.NOT_SELECTED: 1}


@settings(max_examples=500)
@given(st.data(), st.sampled_from(["initiator", "responder", None]), st.integers(1, 2))
def test_stranger_when_it_says_and_repeats_anything_is_never_kept_and_never_told_facts(
    data: st.DataObject, role: Role | None, pairs: int
) -> None:
    """It has no key, but hears every word of ours, and says it again anywhere, in any order."""
    machine = Race(role, SESSION, 1, KEY)
    nonces = [bytes([pair]) * 32 for pair in range(pairs)]
    tell(machine, *(Opened(pair, nonces[pair]) for pair in range(pairs)))
    heard: list[Greeting] = []
    for _ in range(data.draw(st.integers(1, 8))):
        pair = data.draw(st.integers(0, pairs - 1))
        hellos = [Hello(Place(SESSION, 1, pair), nonce) for nonce in (FAR, *nonces)]
        words = [*hellos, Proof(bytes(32)), Select(FACTS), Selected(FACTS), *heard]
        said = st.builds(Received, st.just(pair), st.sampled_from(words))
        event = data.draw(said | said | said | st.just(Broken(pair)) | st.just(TimerFired()))
        commands = tell(machine, event)
        assert not [command for command in commands if isinstance(command, Keep | TellFacts)]
        heard += [command.message for command in commands if isinstance(command, Send)]
    assert machine.kept is None

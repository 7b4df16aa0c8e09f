"""Both ends keep the same connection or none, whatever happens to the connections."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from rendezvous.protocol.messages import Reason, Role
from tests.sim.duel import KEY, ROLES, Duel

seeds = st.integers(0, 2**32).map(random.Random)
pair_counts = st.integers(1, 5)
appointed = st.booleans()
"""Whether the rendezvous gave the roles, or the greetings find them."""
EXAMPLES = 150


def kept(duel: Duel) -> tuple[int | None, int | None]:
    return duel.ends["initiator"].kept, duel.ends["responder"].kept


@given(seeds, pair_counts, appointed)
@settings(max_examples=EXAMPLES)
def test_race_when_nothing_breaks_keeps_one_at_both_ends(
    rng: random.Random, pairs: int, appointed: bool
) -> None:
    duel = Duel(rng, pairs, appointed=appointed)
    duel.run()

    assert kept(duel)[0] is not None
    assert kept(duel)[0] == kept(duel)[1]


@given(seeds, pair_counts, st.floats(0, 0.4), appointed)
@settings(max_examples=EXAMPLES)
def test_race_when_connections_break_never_keeps_two(
    rng: random.Random, pairs: int, breaks: float, appointed: bool
) -> None:
    duel = Duel(rng, pairs, breaks=breaks, appointed=appointed)
    duel.run()
    ours, theirs = kept(duel)
    if duel.role("initiator") == "responder":
        ours, theirs = theirs, ours

    if ours is not None:
        assert ours == theirs
    elif theirs is not None:
        # Only SELECTED was lost, and with it the connection: the responder's stream breaks.
        assert theirs in duel.broken


@given(seeds, pair_counts, appointed, st.data())
@settings(max_examples=EXAMPLES)
def test_race_when_impostors_answer_keeps_none_of_theirs(
    rng: random.Random, pairs: int, appointed: bool, data: st.DataObject
) -> None:
    faces: dict[int, Role] = data.draw(
        st.dictionaries(st.integers(0, pairs - 1), st.sampled_from(ROLES))
    )
    before = Duel(
        random.Random(1), pairs, appointed=appointed
    )  # the same pairs of an earlier attempt, listened to
    before.run()
    duel = Duel(rng, pairs, impostors=faces, appointed=appointed, heard_before=tuple(before.heard))
    duel.run(most=2_000)
    ours, theirs = kept(duel)

    assert ours == theirs
    assert ours not in faces
    if len(faces) < pairs:
        assert ours is not None


@given(seeds, pair_counts, appointed)
@settings(max_examples=EXAMPLES // 3)
def test_race_when_the_codes_differ_keeps_none_and_says_so(
    rng: random.Random, pairs: int, appointed: bool
) -> None:
    duel = Duel(rng, pairs, appointed=appointed, keys=(KEY, b"x" * 32))
    duel.run()

    assert kept(duel) == (None, None)
    assert all(end.race.alive == 0 for end in duel.ends.values())
    assert any(Reason.AUTHENTICATION in end.race.misses for end in duel.ends.values())

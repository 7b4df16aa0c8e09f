"""Who may hold an HTTP connection."""

from __future__ import annotations

from rendezvous.connection import Admission
from rendezvous.descriptors import REFUSALS
from rendezvous.protocol.errors import ProblemWord


def admission(total: int = 10, per_client: int = 2) -> Admission:
    return Admission(total=total, per_client=per_client, trusts=lambda address: address == "::1")


def test_enter_when_a_client_has_its_share_is_too_many_until_one_leaves() -> None:
    sut = admission()
    assert [sut.enter("2001:db8::1"), sut.enter("2001:db8::2")] == [None, None]
    refusal = sut.enter("2001:db8::3")  # the same /64
    assert refusal is not None
    assert refusal.word is ProblemWord.TOO_MANY
    assert refusal.retry_after_us
    assert sut.enter("2001:db8:0:1::1") is None
    sut.leave("2001:db8::3", refusal)
    assert sut.enter("2001:db8::3") is not None
    sut.leave("2001:db8::1", None)
    assert sut.enter("2001:db8::3") is None


def test_enter_when_all_is_taken_is_full_for_everybody() -> None:
    sut = admission(total=3)
    assert [sut.enter("::1") for _ in range(3)] == [None] * 3
    for address in ("::1", "192.0.2.1"):
        refusal = sut.enter(address)
        assert refusal is not None
        assert refusal.word is ProblemWord.FULL


def test_refused_clients_hold_few_sockets_and_nobody_elses_place() -> None:
    sut = admission()
    for _ in range(2 + REFUSALS):
        sut.enter("192.0.2.1")
    assert sut.has_words
    sut.enter("192.0.2.1")
    assert not sut.has_words
    assert sut.enter("192.0.2.2") is None

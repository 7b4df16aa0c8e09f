"""What does not work is no exit code 0, and says why."""

from __future__ import annotations

import pytest

from tests.compose.project import Project

OTHER_CODE = "8955-crossover-zulu"
"""The same nameplate: both meet. Other secret words."""
NO_PATH, AUTHENTICATION = 5, 6
"""Exit codes of midair."""


@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({"CODE_B": OTHER_CODE}, AUTHENTICATION, "the two codes are not the same"),
        ({"NAT_A": "random", "NAT_B": "random"}, NO_PATH, "both NATs give every connection a new"),
    ],
    ids=["wrong code", "random ports on both sides"],
)
def test_up_when_the_peers_cannot_connect_is_not_zero_nor_is_either_peer(
    project: Project, environment: dict[str, str], code: int, words: str
) -> None:
    went = project.up(**environment)
    assert went.exit_code == code, went.output
    assert (went.codes["peer-a"], went.codes["peer-b"]) == (code, code), went.output
    for peer in ("peer-a", "peer-b"):
        assert words in went.said(peer)
    assert "crossed" not in went.output


def test_up_when_a_router_cannot_be_set_up_is_not_zero_and_starts_no_peer(project: Project) -> None:
    project.down()
    went = project.up(NAT_A="no-such-mapping")
    assert went.exit_code != 0
    assert "MAPPING=no-such-mapping is none of" in went.said("router-a")
    assert went.said("peer-a") == went.said("peer-b") == ""

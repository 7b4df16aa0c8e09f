"""Which local ports a peer claims, on this very kernel."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

import pytest

from peer.io import sockets
from peer.io.sockets import FIRST_PORT, LocalPort, claim_numbers, claim_ports
from tests.loopback.ports import free_ports


def released(claims: Iterable[LocalPort]) -> list[tuple[int, int, int]]:
    """Give claims back; returns family, index and number of each."""
    found: list[tuple[int, int, int]] = []
    for claim in claims:
        found.append((claim.family, claim.index, claim.port))
        claim.close()
    return found


@pytest.mark.parametrize("widened", ["1024 65535", "10000 65535", "9000 65000"])
def test_random_ports_when_the_ephemeral_range_takes_nearly_all_are_found_inside_it(
    widened: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ip_local_port_range"
    file.write_text(f"{widened}\n")
    monkeypatch.setattr(sockets, "_RANGE_FILE", file)

    claims = released(claim_ports((4,), 4, None))

    assert len({port for _, _, port in claims}) == 4
    assert all(port >= FIRST_PORT for _, _, port in claims)


@pytest.mark.parametrize("given", ["20000 65535", "1024 30000", "32768 60999"])
def test_random_ports_when_there_is_room_outside_the_ephemeral_range_are_there(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = map(int, given.split())
    file = tmp_path / "ip_local_port_range"
    file.write_text(f"{given}\n")
    monkeypatch.setattr(sockets, "_RANGE_FILE", file)

    claims = released(claim_ports((4,), 8, None))

    assert [port for _, _, port in claims if first <= port <= last] == []


def test_given_numbers_when_one_is_in_use_are_claimed_without_it() -> None:
    first = free_ports(3)
    with socket.create_server(("127.0.0.1", first + 1)):
        claims = released(claim_numbers((4,), [first, first + 1, first + 2]))

    assert claims == [(4, 0, first), (4, 2, first + 2)]


def test_given_numbers_when_all_are_free_are_claimed_in_both_families() -> None:
    first = free_ports(2)

    claims = released(claim_numbers((4, 6), [first, first + 1]))

    assert claims == [(4, 0, first), (4, 1, first + 1), (6, 0, first), (6, 1, first + 1)]

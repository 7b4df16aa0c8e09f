"""A rendezvous for the tests of one file, and a middleman before it for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loopback.faults.rendezvous.relay import Relay, relay
from tests.loopback.faults.rendezvous.server import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a rendezvous; it must have nothing to say about what the tests do to it."""
    with Server() as running:
        yield running


@pytest.fixture
def between(server: Server) -> Iterator[Relay]:
    """Stand before the rendezvous."""
    with relay(server.port) as standing:
        yield standing

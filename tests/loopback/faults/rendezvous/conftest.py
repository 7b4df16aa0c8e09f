"""A rendezvous for the tests of one file, a middleman before it for each; and long stories."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.loopback.faults.rendezvous.relay import Relay, relay
from tests.loopback.faults.rendezvous.server import Server
from tests.loopback.faults.rendezvous.stories import STORIES, Told


@pytest.fixture(scope="session", autouse=True)
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    """Begin the long stories with the first test, if anybody is going to read them."""
    wanted = any(item.path.name == "test_stall.py" for item in request.session.items)
    with ThreadPoolExecutor() as pool:
        yield {name: pool.submit(story) for name, story in STORIES.items() if wanted}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a rendezvous; it must have nothing to say about what the tests do to it."""
    # Whoever asks for a nameplate that it does not know need not wait: it was not restarted.
    with Server(MIDAIR_RENDEZVOUS_SETTLE_S="0") as running:
        yield running


@pytest.fixture
def between(server: Server) -> Iterator[Relay]:
    """Stand before the rendezvous."""
    with relay(server.port) as standing:
        yield standing

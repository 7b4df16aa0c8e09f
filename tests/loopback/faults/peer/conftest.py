"""One rendezvous for all the faults of a peer's: each has a session of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.server import program
from tests.loopback.programs import UNLIMITED

LIMITS = UNLIMITED | {"MIDAIR_RENDEZVOUS_REFLECTOR_PER_CLIENT": "1000"}


@pytest.fixture(scope="package")
def url() -> Iterator[str]:
    """Run a rendezvous that is in order, lets many sessions come from one address, and survives."""
    reflectors = ("--reflector", "127.0.0.1:0") * 2
    with program(*reflectors, prefix=(), **LIMITS) as server:
        yield server.url
        assert server.end() == (0, "")

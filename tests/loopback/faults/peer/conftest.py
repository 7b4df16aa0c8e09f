"""One rendezvous for all the faults of a peer's: each has a session of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loopback.programs import rendezvous


@pytest.fixture(scope="package")
def url() -> Iterator[str]:
    """Run a rendezvous that is in order."""
    with rendezvous() as where:
        yield where

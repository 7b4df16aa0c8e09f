"""One rendezvous for all the faults of a peer's: each has a session of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loopback.programs import rendezvous


@pytest.fixture(scope="package")
def url() -> Iterator[str]:
    """Run a rendezvous that is in order, and lets many sessions come from one address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIDAIR_RENDEZVOUS_REFLECTOR_PER_CLIENT", "1000")
        with rendezvous() as where:
            yield where

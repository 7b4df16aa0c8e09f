"""Labs for tests: these need root, namespaces and netem, or the guest (``make lab-test``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.bench.sections import options
from lab.bench.stage import staged
from lab.scenario import Scenario
from lab.topology import SIDES, LinkSpec, WorldSpec
from lab.world import World

DELAY_MS = 20.0
"""One way, router to router."""


SPEC = WorldSpec.symmetric(LinkSpec(delay_ms=DELAY_MS), ipv6=True)
"""Two port-preserving NATs that answer RST."""


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    """Build one lab for a module."""
    with World(SPEC) as built:
        yield built


@pytest.fixture
def world(module_world: World) -> World:
    """Give a test the module's lab as SPEC says, whatever the test before did to it."""
    for side in SIDES:
        wanted = SPEC.side(side)
        if module_world.spec.side(side).access != wanted.access:
            module_world.set_access(side, wanted.access)
        if module_world.spec.side(side).router != wanted.router:
            module_world.set_router(side, wanted.router)
    return module_world


@pytest.fixture(scope="module")
def module_scenario() -> Iterator[Scenario]:
    """Build one living scenario for a module: the peers' clocks 44.7 s apart."""
    with staged(options()) as ready:
        yield ready
